"""TAB in shells: asked as their scripts ask, and in a bash that has read its script."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

pytestmark = pytest.mark.real
SEPARATOR = "\n"


def offered(home, line: str) -> set[str]:
    """As bash's script asks: the answer comes on descriptor 8."""
    environ = {
        **home.environ,
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_SHELL": "bash",
        "_ARGCOMPLETE_IFS": SEPARATOR,
        "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line.encode())),
        "COMP_TYPE": "9",
    }
    asking = ["sh", "-c", 'exec "$0" "$@" 8>&1 1>/dev/null 2>&1 </dev/null']
    asked = subprocess.run(
        [*asking, sys.executable, "-P", "-m", "exai_trio"],
        env=environ,
        cwd=home.path,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(filter(None, asked.stdout.split(SEPARATOR)))


@pytest.mark.parametrize(
    ("line", "some"),
    [
        ("exai st", {"status", "stop"}),
        ("exai ask --js", {"--json"}),
        ("exai call ch", {"chat", "challenge"}),
        ("exai call chat pr", {"prompt="}),
        ("exai call chat prompt=x thinking_mode=h", {"thinking_mode=high"}),
        ("exai ask -m glm-4.5-f", {"glm-4.5-flash"}),
        ("exai ask 'what is it?' --model glm-4.5-f", {"glm-4.5-flash"}),
        ("exai completion ", {"bash", "zsh", "fish"}),
        ("exai threads sh", {"show"}),
    ],
)
def test_a_shell_is_answered(home, line, some):
    """Commands, options, tools, arguments and their values, models."""
    assert some <= offered(home, line)


def test_a_conversation_is_offered(home):
    """The one that was just begun."""
    told = home.run("ask", "hello", "--json").stdout
    (continuation_id,) = (
        line.split('"')[3] for line in told.splitlines() if "continuation_id" in line
    )

    assert continuation_id in offered(home, "exai threads show ")
    assert continuation_id in offered(home, "exai ask -t ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_that_the_shell_reads(home, shell):
    """It has no fault in it, as far as the shell is installed."""
    ran = home.run("completion", shell)
    assert (0, "") == (ran.returncode, ran.stderr)
    assert "exai" in ran.stdout
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run(
        [found, "-n"], input=ran.stdout, capture_output=True, text=True, check=False
    )

    assert (0, "") == (done.returncode, done.stderr)


# How each is started, and what makes it complete, without a prompt of its own and without what a terminal must answer.
SHELLS = {
    "bash": (
        ["--norc", "--noprofile", "-i"],
        'PS1="go> "; eval "$(exai completion bash)"; bind "set enable-bracketed-paste off"',
    ),
    "zsh": (
        ["-f", "-i"],
        'PROMPT="go> "; unsetopt zle_bracketed_paste; autoload -U compinit; compinit -D; eval "$(exai completion zsh)"',
    ),
    "fish": (
        ["--no-config", "-i"],
        'exai completion fish | source; function fish_prompt; printf "go> "; end',
    ),
}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes(home, shell):
    """One that has read the script, at a terminal."""
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    words, prepared = SHELLS[shell]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = {**home.environ, "PATH": path, "PS1": "ready> ", "TERM": "dumb"}
    child = pexpect.spawn(
        found, words, env=environ, cwd=str(home.path), timeout=30, encoding="utf-8"
    )
    try:
        child.expect("> |% |# ")
        child.sendline(prepared)
        child.expect(r"[\r\n]go> ")
        child.send("exai call challe\t")
        child.expect_exact("challenge")
        child.send(" prom\t")
        child.expect_exact("prompt=")
    finally:
        child.close(force=True)
