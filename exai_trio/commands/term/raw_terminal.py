"""The user's own terminal in raw mode, and back in the mode that it had, whatever happens."""

import os
import sys
import termios
import tty
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import trio

from exai_trio import structs
from exai_trio.errors import ServiceUnavailableError
from exai_trio.terminal.keeper.system_calls import unless_gone

from .away_line import RESET

_PIECE: Final = 4096


@structs.define(eq=False)
class RawTerminal:
    """`descriptor` is an open file of our own: that it does not block is nothing to the shell which has the others."""

    descriptor: int

    @property
    def size(self) -> tuple[int, int]:
        found = os.get_terminal_size(self.descriptor)
        return max(1, found.columns), max(1, found.lines)

    async def keys(self) -> bytes:
        """What is typed next; nothing once the terminal is gone. Cancelling loses nothing."""
        await trio.lowlevel.wait_readable(self.descriptor)
        return os.read(self.descriptor, _PIECE)

    async def show_some(self, data: bytes) -> int:
        """Show the beginning of it; how many bytes that was. Cancelling shows nothing."""
        await trio.lowlevel.wait_writable(self.descriptor)
        return self.show_at_once(data[:_PIECE])

    def show_at_once(self, data: bytes) -> int:
        """What the terminal takes of it now; nothing once it is gone, which `keys` tells."""
        return unless_gone(os.write, self.descriptor, data) or 0


@contextmanager
def raw_terminal() -> Generator[RawTerminal]:
    """Raises ServiceUnavailableError where there is no terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ServiceUnavailableError(
            "there is no terminal here to show it on; `exai term new --no-attach` needs none"
        )
    descriptor = os.open(
        os.ttyname(sys.stdin.fileno()), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
    )
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor, termios.TCSADRAIN)
        yield RawTerminal(descriptor)
    finally:
        unless_gone(os.write, descriptor, RESET)
        unless_gone(termios.tcsetattr, descriptor, termios.TCSANOW, before)
        os.close(descriptor)
