"""A daemon with its simulator, and terminals in which commands of it run."""

import os
import pty
import re
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import pexpect
import pyte
import pytest
from free_ports import free_port
from rich.cells import cell_len

from exai_trio.cli import main

EXAI = [sys.executable, "-P", "-m", "exai_trio"]
WAIT_S = 30
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@attrs.frozen
class Home:
    """Where one daemon lives, with nothing of this machine's settings."""

    path: Path
    port: int

    @property
    def environ(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.path),
            "EXAI_HOME": str(self.path / "exai"),
            "EXAI_WS_PORT": str(self.port),
            "HEALTH_CHECK_PORT": "0",
            "MONITORING_PORT": "0",
            "INCIDENTS_PORT": "0",
            "EXAI_SIMULATE": "true",
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
        }

    def run(self, *argv: str, given: bytes = b"", **more: str) -> subprocess.CompletedProcess[str]:
        """A command whose output goes into pipes."""
        return subprocess.run(
            [*EXAI, *argv],
            cwd=self.path,
            env={**self.environ, **more},
            input=given.decode(),
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )

    def screen(self, *argv: str, columns: int = 80, **more: str) -> tuple[int, "Terminal"]:
        """The exit code of a command that runs in this process, and what it has left on a terminal."""
        near, far = pty.openpty()
        termios.tcsetwinsize(far, (200, columns))
        parts: list[bytes] = []
        reader = threading.Thread(target=_drain, args=(near, parts), daemon=True)
        reader.start()
        with (
            pytest.MonkeyPatch.context() as patch,
            os.fdopen(far, "w", encoding="utf-8") as terminal,
        ):
            for name in set(os.environ) - set(self.environ):
                patch.delenv(name)
            for name, value in {**self.environ, **more}.items():
                patch.setenv(name, value)
            patch.chdir(self.path)
            patch.setattr(sys, "stdout", terminal)
            patch.setattr(sys, "stderr", terminal)
            code = main(list(argv))
            echoing = bool(termios.tcgetattr(far)[3] & termios.ECHO)
        reader.join(WAIT_S)
        os.close(near)
        shown = Terminal(None, columns)
        shown.take(b"".join(parts).decode())
        assert echoing
        return code, shown

    @contextmanager
    def terminal(self, *argv: str, columns: int = 80, **more: str) -> "Iterator[Terminal]":
        environ = {**self.environ, **more}
        child = pexpect.spawn(
            EXAI[0],
            [*EXAI[1:], *argv],
            cwd=str(self.path),
            env=environ,
            dimensions=(200, columns),
            timeout=WAIT_S,
        )
        shown = Terminal(child, columns)
        try:
            yield shown
        finally:
            child.close(force=True)


@attrs.define(eq=False)
class Terminal:
    """A command in a terminal. `raw` is all that it has written."""

    child: pexpect.spawn | None
    columns: int
    raw: str = ""
    screen: pyte.Screen = attrs.field(init=False)
    _stream: pyte.Stream = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.screen = pyte.Screen(self.columns, 200)
        self._stream = pyte.Stream(self.screen)

    @property
    def lines(self) -> list[str]:
        """What stands on the screen, without the empty lines at its end."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip().split("\n")

    def wait(self, condition: Callable[[], bool]) -> None:
        while not condition():
            assert self._more(), f"it ended before: {self.lines}"

    def finish(self) -> int:
        """Its exit code, once everything is on the screen."""
        while self._more():
            pass
        self.child.close()
        return self.child.exitstatus if self.child.exitstatus is not None else -1

    def resize(self, columns: int) -> None:
        self.child.setwinsize(200, columns)
        self.screen.resize(200, columns)
        self.columns = columns

    def interrupt(self) -> None:
        self.child.sendintr()

    @property
    def is_echoing(self) -> bool:
        return bool(termios.tcgetattr(self.child.child_fd)[3] & termios.ECHO)

    def too_wide(self) -> list[str]:
        """Written lines that the terminal had to break, but for single words and lines that are there to be copied."""
        written = re.split(r"\n", self.raw.replace("\r\n", "\n"))
        plain = [ESCAPES.sub("", part) for line in written for part in line.split("\r")]
        return [
            line
            for line in plain
            if cell_len(line.rstrip()) > self.columns and not _is_exempt(line)
        ]

    def _more(self) -> bool:
        try:
            text = self.child.read_nonblocking(65_536, timeout=WAIT_S).decode()
        except pexpect.EOF:
            return False
        self.take(text)
        return True

    def take(self, text: str) -> None:
        self.raw += text
        self._stream.feed(text)


def _drain(near: int, parts: list[bytes]) -> None:
    """Until nobody has the far end open any more."""
    while True:
        try:
            data = os.read(near, 65_536)
        except OSError:
            return
        if not data:
            return
        parts.append(data)


def _is_exempt(line: str) -> bool:
    return " " not in line.strip() or line.startswith(("try: exai", "  exai ", "  git diff |"))


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Iterator[Home]:
    found = Home(tmp_path_factory.mktemp("d"), free_port())
    with subprocess.Popen(
        [*EXAI, "serve"],
        cwd=found.path,
        env=found.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as running:
        assert "exai serves" in running.stdout.readline()
        yield found
        running.send_signal(signal.SIGTERM)
        running.wait(WAIT_S)
