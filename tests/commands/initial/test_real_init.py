"""`exai init` as somebody types it: real processes, a real terminal, and the simulator in the place of a provider."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import attrs
import pexpect
import pytest
import trio

from exai_trio.simulator.local_models.local_site import serve_local
from exai_trio.simulator.local_models.server_bodies import USUAL

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

EXAI = [sys.executable, "-P", "-m", "exai_trio"]
KEY = "c4nary0123456789.abcdef"
WRONG = "wrong-c4nary.abcdef"
ENOUGH_S = 60
TYPED_KEY = "a key for GLM"
QUESTIONS = ["number [1]: ", "GLM_API_KEY: ", "editors [all]: ", "Do it? [yes]: "]


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The address of a simulated GLM that takes any key but one that begins with "wrong"."""
    with subprocess.Popen(
        [*EXAI, "simulate", "--until-eof"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as simulator:
        yield json.loads(simulator.stdout.readline())["simulator"] + "/glm/api/paas/v4"
        simulator.stdin.close()


@attrs.frozen
class Home:
    """An empty home in which Codex has been used. No model server of this machine is looked for."""

    path: Path
    env: dict[str, str]

    def run(self, *words: str, **more: str) -> tuple[int, str]:
        """The exit code, and all that was said."""
        ran = subprocess.run(
            [*EXAI, *words], cwd=self.path, env={**self.env, **more}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=ENOUGH_S, check=False,
        )  # fmt: skip
        return ran.returncode, ran.stdout + ran.stderr

    def type(self, *words: str, columns: int = 80, **more: str) -> pexpect.spawn:
        return pexpect.spawn(
            EXAI[0], [*EXAI[1:], *words], cwd=str(self.path), env={**self.env, **more},
            dimensions=(50, columns), timeout=ENOUGH_S, encoding="utf-8",
        )  # fmt: skip

    @property
    def files(self) -> dict[str, str]:
        """What lies in the home, without what a daemon keeps."""
        found = [each for each in self.path.rglob("*") if each.is_file()]
        return {
            str(each.relative_to(self.path)): each.read_text(encoding="utf-8", errors="replace")
            for each in found
            if "exai-home" not in each.parts
        }


@pytest.fixture
def ollama() -> Iterator[str]:
    """A model server of this user, in a thread."""
    ready, scope = threading.Event(), trio.CancelScope()
    started = {}

    async def serve() -> None:
        started["token"] = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as nursery:
            with scope:
                started["origin"] = await nursery.start(serve_local, USUAL["ollama"])
                ready.set()
                await trio.sleep_forever()
            nursery.cancel_scope.cancel()

    thread = threading.Thread(target=trio.run, args=(serve,))
    thread.start()
    assert ready.wait(ENOUGH_S)
    yield started["origin"].removeprefix("http://")
    trio.from_thread.run_sync(scope.cancel, trio_token=started["token"])
    thread.join(ENOUGH_S)


@pytest.fixture
def home(tmp_path, provider, unused_tcp_port) -> Iterator[Home]:
    (tmp_path / ".codex").mkdir()
    env = {
        "HOME": str(tmp_path),
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "EXAI_HOME": str(tmp_path / "exai-home"),
        "EXAI_WS_PORT": str(unused_tcp_port),
        "HEALTH_CHECK_PORT": "0",
        "MONITORING_PORT": "0",
        "INCIDENTS_PORT": "0",
        "GLM_API_URL": provider,
    }
    found = Home(tmp_path, env)
    yield found
    found.run("stop")


def echoes(child: pexpect.spawn) -> bool:
    return bool(termios.tcgetattr(child.child_fd)[3] & termios.ECHO)


def answered(child: pexpect.spawn, *answers: str) -> str:
    """All that was said up to where the next answer would be typed."""
    said = ""
    for question, answer in zip(QUESTIONS, answers, strict=False):
        child.expect_exact(question)
        said += child.before + question
        if question == QUESTIONS[1]:
            child.waitnoecho()
        child.sendline(numbered(answer, said))
    return said


def numbered(answer: str, said: str) -> str:
    """The number of a choice that is named: others stand before it where this machine has model servers."""
    found = re.search(rf"(\d+)  {re.escape(answer)}", said)
    return found[1] if answer and found else answer


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_from_nothing_to_an_answer(home, columns):
    """Four questions; no line is wider than the terminal, and the key is not shown."""
    child = home.type("init", columns=columns)
    said = answered(child, TYPED_KEY, KEY, "", "")
    child.expect(pexpect.EOF)
    said += child.before
    child.close()
    lines = re.split(r"[\r\n]+", said.replace("\x1b[K", ""))
    wide = [line for line in lines if len(line) > columns and " " in line.strip()]

    assert 0 == child.exitstatus, said
    assert "Ask exai for a second opinion" in " ".join(said.split())
    assert KEY not in said
    assert [] == wide
    assert f"GLM_API_KEY={KEY}\n" in home.files[".config/exai/settings.env"]
    assert "exai_trio" in home.files[".codex/config.toml"]
    assert (0, {}) == (home.run("init", "--undo")[0], home.files)


@pytest.mark.parametrize("place", range(4))
def test_ctrl_c_at_a_question_changes_nothing(home, place):
    """And leaves the terminal as it was."""
    child = home.type("init")
    answered(child, *[TYPED_KEY, KEY, ""][:place])
    child.expect_exact(QUESTIONS[place])
    if place == 1:
        child.waitnoecho()
    child.sendintr()
    child.expect(pexpect.EOF)

    assert echoes(child)
    child.close()
    assert 130 == child.exitstatus
    assert {} == home.files


def test_ctrl_c_while_the_key_is_tried_takes_everything_back(home):
    """The provider never answers; what was written by then is gone again."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v4"
        child = home.type("init", "--yes", GLM_API_KEY=KEY, GLM_API_URL=url)
        silent.settimeout(ENOUGH_S)
        connection, _ = silent.accept()
        with connection:
            assert KEY in home.files[".config/exai/settings.env"]
            child.sendintr()
            child.expect(pexpect.EOF)
    child.close()

    assert 130 == child.exitstatus
    assert "nothing was changed" in child.before
    assert {} == home.files


def test_a_key_that_is_refused_is_not_kept(home):
    """One line says what, and what next."""
    code, said = home.run("init", "--yes", GLM_API_KEY=WRONG)

    assert 1 == code
    assert "exai config set GLM_API_URL https://open.bigmodel.cn/api/paas/v4" in said
    assert WRONG not in said
    assert {} == home.files


def test_the_key_is_in_one_file_and_nowhere_else(home):
    """Not in what is said, nor in logs, nor in a command line; that file is its owner's alone."""
    code, said = home.run("init", "--yes", GLM_API_KEY=KEY)
    holding = [each for each in home.path.rglob("*") if KEY.encode() in _bytes_of(each)]
    command_lines = [
        _bytes_of(each)
        for each in Path("/proc").glob("[0-9]*/cmdline")
        if str(home.path).encode() in _bytes_of(each.with_name("environ"))
    ]

    assert 0 == code, said
    assert KEY not in said
    assert [home.path / ".config/exai/settings.env"] == holding
    assert 0o600 == stat.S_IMODE(holding[0].stat().st_mode)
    assert command_lines
    assert not [words for words in command_lines if KEY.encode() in words]
    assert KEY not in home.run("logs")[1] + home.run("status", "--all")[1]


def _bytes_of(path: Path) -> bytes:
    """Nothing of what is no file, or is none any more: a daemon works beside us."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_it_can_be_run_again(home):
    """The second time finds what is configured, and changes nothing."""
    assert 0 == home.run("init", "--yes", GLM_API_KEY=KEY)[0]
    before = home.files
    code, said = home.run("init", "--yes")

    assert 0 == code
    assert "what is configured: GLM" in said
    assert before == home.files


def test_without_a_key_a_server_of_this_machine_answers(home, ollama):
    """It is the default, is written into the file of providers, and taken back."""
    code, said = home.run("init", "--yes", OLLAMA_HOST=ollama)

    assert 0 == code, said
    assert f"Ollama at http://{ollama}" in said
    assert ollama in home.files[".config/exai/providers.toml"]
    assert "Answered through the shim" in said
    assert 0 == home.run("init", "--undo")[0]
    assert {} == home.files


def test_a_dry_run_shows_everything_and_writes_nothing(home):
    """Also what the key would be tried with."""
    code, said = home.run("init", "--dry-run", GLM_API_KEY=KEY)

    assert (0, {}) == (code, home.files)
    assert all(
        part in said for part in ("GLM_API_KEY is written into", "Codex", "nothing was changed")
    )
    assert KEY not in said


def test_an_editors_file_that_is_broken_stops_nothing_else(home):
    """It is named, the answer comes, and the exit code says that something is left to do."""
    (home.path / ".codex/config.toml").write_text("= broken\n", encoding="utf-8")
    code, said = home.run("init", "--yes", GLM_API_KEY=KEY)

    assert 1 == code
    assert "mend it first" in said
    assert "Answered through the shim" in said
    assert "= broken\n" == home.files[".codex/config.toml"]


@pytest.mark.parametrize(
    ("words", "more", "code", "said"),
    [
        (["init"], {}, 2, "exai init --yes"),
        (["init", "--yes"], {"HOME": "", "XDG_CONFIG_HOME": "x"}, 1, "set HOME"),
        (["init", "--yes", "--editors", "emacs"], {}, 2, "names of claude"),
        (["init", "--undo"], {}, 0, "Nothing is there"),
    ],
)
def test_one_line_says_what_and_what_next(home, words, more, code, said):
    """Without a terminal, a home, an editor of that name, or anything to undo."""
    ended, heard = home.run(*words, **more)

    assert code == ended, heard
    assert said in heard
    assert {} == home.files


def test_a_home_that_cannot_be_written_is_named(home):
    """A file stands where the folder should be."""
    (home.path / ".config").write_text("", encoding="utf-8")
    code, said = home.run("init", "--yes", GLM_API_KEY=KEY)

    assert 1 == code
    assert "cannot be written" in said
    assert {".config": ""} == home.files


def test_killed_it_can_still_be_undone(home):
    """What is to be changed is recorded before it is."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v4"
        child = home.type("init", "--yes", GLM_API_KEY=KEY, GLM_API_URL=url)
        silent.settimeout(ENOUGH_S)
        connection, _ = silent.accept()
        with connection:
            os.kill(child.pid, signal.SIGKILL)
            child.expect(pexpect.EOF)
    child.close()

    assert KEY in home.files[".config/exai/settings.env"]
    assert (0, {}) == (home.run("init", "--undo")[0], home.files)
