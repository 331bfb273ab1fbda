"""A program on a pseudo-terminal: starting it, its size, its modes, its end. Standard library only."""

import fcntl
import os
import signal
import struct
import termios
from typing import Final, NoReturn

from .line_limit import LineMode
from .system_calls import at_once, unless_gone

_ISIG_ENDS: Final = (termios.VINTR, termios.VQUIT, termios.VSUSP)
_LINE_ENDS: Final = (termios.VEOF, termios.VEOL, termios.VEOL2, termios.VKILL)
_OFF: Final = b"\0"
_LAST_SIGNAL: Final = 64
_FAULT: Final = struct.Struct("i")


class Command:
    """What is run: the file, its words (the first is what it is told to be called), where, and with which variables."""

    def __init__(self, file: str, words: list[str], folder: str, variables: dict[str, str]) -> None:
        self.file = file
        self.words = words
        self.folder = folder
        self.variables = variables


class PtyProgram:
    """A running program. `master` is our side of its terminal, which does not block."""

    def __init__(self, master: int, pid: int) -> None:
        self.master = master
        self.pid = pid
        self._size = (0, 0)

    def set_size(self, size: tuple[int, int]) -> None:
        """The program is told by SIGWINCH, if that is another size."""
        if size != self._size:
            self._size = size
            _set_size(self.master, size)

    def line_mode(self) -> LineMode | None:
        """How the program reads lines; None if it does not, or is gone."""
        modes = unless_gone(termios.tcgetattr, self.master)
        if modes is None:
            return None
        input_flags, _, _, local_flags, _, _, characters = modes
        if not local_flags & termios.ICANON:
            return None
        signals = _ISIG_ENDS if local_flags & termios.ISIG else ()
        given = [characters[place] for place in (*_LINE_ENDS, *signals)]
        ends = b"\n" + (b"\r" if input_flags & termios.ICRNL else b"")
        erase = characters[termios.VERASE]
        return LineMode(
            ends + b"".join(one for one in given if one != _OFF), b"" if erase == _OFF else erase
        )

    def foreground(self) -> int | None:
        """The process group that is being typed to."""
        found = unless_gone(fcntl.ioctl, self.master, termios.TIOCGPGRP, b"\0\0\0\0")
        group = 0 if found is None else int(_FAULT.unpack(found)[0])
        return group if group > 1 else None

    def read_into(self, place: memoryview) -> int | None:
        """How many bytes of its output are there now; None if none, 0 once nobody has the terminal open any more (Linux says EIO)."""
        try:
            return at_once(os.readv, self.master, [place])
        except OSError:  # audit: empty-handler, because nothing is the answer: the end of output
            return 0

    def write(self, data: bytes) -> int | None:
        """How many bytes of its input the terminal takes now; None if none, or nobody has it open any more."""
        return unless_gone(os.write, self.master, data)


def start(command: Command, size: tuple[int, int]) -> PtyProgram:
    """Raises OSError: there is no pseudo-terminal, no folder, or no such program."""
    master, slave = os.openpty()
    try:
        _set_size(slave, size)
        pid = _forked(command, slave)
    except OSError:
        os.close(master)
        raise
    finally:
        os.close(slave)
    os.set_blocking(master, False)
    program = PtyProgram(master, pid)
    program.set_size(size)
    return program


def _forked(command: Command, slave: int) -> int:
    """The program's process, once it runs. Raises OSError."""
    heard, said = os.pipe()  # closed by the program's start
    pid = os.fork()
    if pid == 0:
        os.close(heard)
        _become(command, slave, said)
    os.close(said)
    with os.fdopen(heard, "rb") as file:
        fault = file.read(_FAULT.size)
    if fault:
        os.waitpid(pid, 0)
        number = _FAULT.unpack(fault)[0]
        raise OSError(number, os.strerror(number), command.file)
    return pid


def _become(command: Command, slave: int, said: int) -> NoReturn:
    try:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for standard in (0, 1, 2):
            os.dup2(slave, standard)
        for number in range(1, _LAST_SIGNAL + 1):
            unless_gone(signal.signal, number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.umask(0o022)
        os.chdir(command.folder)
        if os.getcwd() != command.folder:
            raise NotADirectoryError(20, "no directory", command.folder)
        os.execve(command.file, command.words, command.variables)
    except OSError as fault:
        os.write(said, _FAULT.pack(fault.errno or 1))
    finally:
        os._exit(127)


def _set_size(terminal: int, size: tuple[int, int]) -> None:
    cols, rows = size
    unless_gone(fcntl.ioctl, terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
