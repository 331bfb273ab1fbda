"""A secret typed at a real terminal: it is not shown, and the terminal is as it was afterwards."""

import os
import pty
import select
import sys
import termios
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.real, pytest.mark.filterwarnings("ignore:.*forkpty")]
CANARY = "canary-0123456789"
PATIENCE_S = 40


def echoes(terminal: int) -> bool:
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


def sleeps(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].startswith(b"S")


def heard(terminal: int, until: bytes) -> bytes:
    """What is on the screen, once that is there or the program has ended."""
    screen, deadline = b"", time.monotonic() + PATIENCE_S  # of a real process
    while until not in screen and time.monotonic() < deadline:
        if select.select([terminal], [], [], 1)[0]:
            try:
                piece = os.read(terminal, 4096)
            except OSError:
                return screen
            if not piece:
                return screen
            screen += piece
    return screen


@pytest.fixture
def at_terminal(tmp_path):
    """Run `exai config set GLM_API_KEY` on a terminal of its own and type this at its prompt; the screen, the exit code, and whether
    the terminal echoes again."""
    opened = []

    def run(typed: bytes):
        words = [sys.executable, "-P", "-m", "exai_trio", "config", "set", "GLM_API_KEY"]
        environ = {"HOME": str(tmp_path), "PATH": os.defpath, "TERM": "dumb"}
        child, terminal = pty.fork()
        if child == 0:
            os.execve(words[0], words, environ)  # noqa: S606  # no shell is wanted
        opened.append(terminal)
        screen = heard(terminal, b"GLM_API_KEY: ")
        while echoes(terminal) or not sleeps(
            child
        ):  # a signal just before its read would be seen after that only
            time.sleep(0.01)
        os.write(terminal, typed)
        screen += heard(terminal, b"\0never")
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return screen, code, echoes(terminal)

    yield run
    for terminal in opened:
        os.close(terminal)


def test_what_is_typed_is_not_shown(at_terminal, tmp_path):
    """It is in the file, and nowhere on the screen."""
    screen, code, echo = at_terminal(f"{CANARY}\n".encode())

    assert (0, True) == (code, echo)
    assert CANARY.encode() not in screen
    assert f"GLM_API_KEY={CANARY}\n" == (tmp_path / ".config" / "exai" / "settings.env").read_text()


def test_who_interrupts_changes_nothing(at_terminal, tmp_path):
    """Ctrl-C at the prompt: exit code 130, and no file."""
    _, code, echo = at_terminal(b"half a key\x03")

    assert (130, True) == (code, echo)
    assert not (tmp_path / ".config").exists()
