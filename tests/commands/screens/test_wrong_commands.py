"""Sixty command lines that are wrong; each is answered with one that is right, which is then run."""

import shlex

import pytest

from exai_trio.cli import main
from exai_trio.commands.options import parser
from exai_trio.commands.usage.repair import SYNONYMS

pytestmark = pytest.mark.real

WRONG = [
    "stauts",
    "statsu --json",
    "doctr",
    "tols",
    "modles",
    "modells glm-4.6",
    "confg",
    "thread list",
    "log",
    "complete bash",
    "how does this work?",
    "'how does this work?'",
    "list",
    "version",
    "settings",
    "check",
    "query 'what is it?'",
    "chat 'what is it?'",
    "xyzzy",
    "status --jsn",
    "status -json",
    "status --al",
    "status --verbose",
    "status extra",
    "--jsno status",
    "status --port",
    "status --port abc",
    "status --port 99999",
    "status --host 'my..host'",
    "doctor --onlin",
    "tools --everything",
    "models --jason",
    "logs -n 0",
    "logs -n many",
    "logs -n",
    "logs no-such-id-anywhere",
    "completion",
    "completion powershell",
    "completion bsh",
    "config --exmple",
    "config --mcp emacs",
    "config --mcp claud",
    "config --mcp claude --example",
    "threads",
    "threads lst",
    "threads show",
    "threads show no-such-conversation",
    "threads delete no-such-conversation",
    "help stauts",
    "ask",
    "ask --modle auto 'what is it?'",
    "ask 'what is it?' -f README.mdd",
    "ask 'what is it?' -f nothing/at/all",
    "ask 'what is it?' -f",
    "ask 'what is it?' -m glm-4.55",
    "ask 'what is it?' -m",
    "ask 'what is it?' -t no-such-conversation",
    "ask 'what is it?' -o .",
    "ask 'what is it?' --timeout 0",
    "ask 'what is it?' --timeout soon",
    "call",
    "call chatt prompt=hello",
    "call nothing-like-it prompt=hello",
    "call chat",
    "call chat hello",
    "call chat promt=hello",
    "call chat prompt=hello temperature=9",
    "call chat prompt=hello thinking_mode=hard",
    "call chat prompt=@/no/such/file",
    "call chat prompt=hello model=glm-4.55",
    "call chat prompt=hello continuation_id=none-such",
    "call planner step=one",
    "call chat prompt=hello --timeout -1",
]


@pytest.fixture
def shell(home, monkeypatch, capsys):
    """Type a line; get its exit code, what it said, and what it advises."""
    for name, value in home.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(home.path)
    (home.path / "README.md").write_text("# A project\n")
    (home.path / "src").mkdir(exist_ok=True)
    for name in ("a.py", "b.py", "worker.py"):
        (home.path / "src" / name).write_text("pass\n")

    def type_in(line: str) -> tuple[int, str, list[str]]:
        code = main(shlex.split(line))
        said = capsys.readouterr()
        advice = [
            each.removeprefix("try: exai ")
            for each in said.err.splitlines()
            if each.startswith("try: exai ")
        ]
        return code, said.out + said.err, advice

    return type_in


def test_there_are_sixty():
    """And no two are the same."""
    assert 60 <= len(set(WRONG)) == len(WRONG)


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_line_is_answered_with_a_right_one(shell, line):
    """It fails with one line of why and one to type instead; and that one, run, does not fail."""
    code, said, advice = shell(line)

    assert code in {1, 2}, said
    assert said.startswith("exai: "), said
    assert 1 == len(advice), said
    code, said, further = shell(advice[0])
    assert (0, []) == (code, further), (advice, said)


@pytest.mark.parametrize("word", sorted(SYNONYMS))
def test_what_others_call_it_is_known(word):
    """Each leads to a command that there is."""
    (commands,) = (
        action.choices for action in parser()._actions if isinstance(action.choices, dict)
    )

    assert SYNONYMS[word] in {*commands, "--version"}
    assert word not in commands
