"""Starting a daemon where none listens, once, however many shims want one.

It lives on when we leave.
"""

import fcntl
import logging
import os
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
import trio

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.interpreter import EXAI
from exai_trio.resilience.backoff import Backoff
from exai_trio.system.home_id import HOME_LOCK
from exai_trio.system.private_files import private_directory

log = logging.getLogger("exai.shim")

_LOCK: Final = "autostart.lock"
_OUTPUT: Final = "autostart.out"  # what the last daemon said before its own log was open
_WAIT_S: Final = 15.0
_LOOK_S: Final = 0.05
_LASTING_S: Final = 30.0  # one that lived so long was well
_LEAVE_S: Final = 10.0  # for a daemon that holds the home still, beyond its drain
_MOST_WORDS: Final = 600  # characters
# From one start to the next: a daemon that dies is replaced at once, one that ends again and again is not started in a loop.
_PAUSES: Final = Backoff(first_s=2.0, longest_s=30.0)


def daemon_command(config: Config) -> list[str]:
    """The daemon for our own address and home, wherever those came from; everything else it reads as we did."""
    place = ["--host", config.ws_host, "--port", str(config.ws_port), "--home", str(config.home)]
    return [*EXAI, "serve", *place]


@structs.define(eq=False)
class Starter:
    """Starts the daemon for one address. `folder` holds the lock that the shims of this machine share.

    Where nothing can be written there is no lock, and a daemon is started all the same: of several one gets the port, and it
    tells its clients what is wrong with the folder.
    """

    host: str
    port: int
    folder: Path
    command: Sequence[str]
    drain_s: float = 0.0
    last_words: str = attrs.field(default="", init=False)
    _child: subprocess.Popen[bytes] | None = None
    _started: float = float("-inf")
    _next: float = float("-inf")
    _in_a_row: int = 0  # starts since a daemon was well

    async def ensure(self) -> bool:
        """Return whether somebody listens now, having started the daemon if that was ours to do.

        Cancelling leaves a daemon that was started running.
        """
        self._reap()
        try:
            with self._turn() as mine:
                if await self.listening():
                    return True
                if mine and await self._wait_home_free():
                    return True
                if mine and not self._start():
                    return False
                return await self._wait_listening()
        except OSError as fault:
            log.warning("daemon not started", extra={"fault": str(fault)})
            return False

    def note_served(self) -> None:
        """A daemon let us in: however it ends, the next one may start at once."""
        self._in_a_row, self._next, self.last_words = 0, float("-inf"), ""

    async def _wait_home_free(self) -> bool:
        """Return when no daemon holds the home any more: one that leaves does until its last call has ended. Or when it is too
        long: then the one that is started says who holds it. True if one listens meanwhile."""
        with trio.move_on_after(self.drain_s + _LEAVE_S):  # noqa: ASYNC912 - returns or sleeps
            while self._child is None and is_held(self.folder / HOME_LOCK):
                await trio.sleep(_LOOK_S)
                if await self.listening():
                    return True
        return False

    @contextmanager
    def _turn(self) -> Generator[bool]:
        """Hold the lock, if nobody else does: whoever does is starting the daemon now."""
        descriptor = self._open_lock()
        if descriptor is None:
            yield True
            return
        try:
            yield _locked(descriptor)
        finally:
            os.close(descriptor)

    def _open_lock(self) -> int | None:
        """None where nothing can be written."""
        try:
            return os.open(
                private_directory(self.folder) / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
        except OSError as fault:
            log.info("no lock for a start", extra={"fault": str(fault)})
            return None

    def _start(self) -> bool:
        """Whether a daemon of ours is on its way."""
        if self._child is not None:
            return True
        if trio.current_time() < self._next:
            return False
        self._in_a_row += 1
        self.last_words = ""
        self._started = trio.current_time()
        self._pause()
        output = self._open_output()
        try:
            # Not waited for on purpose: it has its own session and outlives us.
            self._child = subprocess.Popen(  # noqa: S603  # our own interpreter and package
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Not the project's directory: its .env is not the daemon's.
                cwd=self.folder if os.access(self.folder, os.X_OK) else os.sep,
                start_new_session=True,
            )
        finally:
            os.close(output)
        log.info("daemon started", extra={"pid": self._child.pid})
        return True

    def _open_output(self) -> int:
        try:
            return os.open(self.folder / _OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        except OSError:
            return os.open(os.devnull, os.O_WRONLY)

    def _read_output(self) -> str:
        """What the daemon wrote last, on one line: its faults, or the end of a traceback."""
        try:
            said = (self.folder / _OUTPUT).read_bytes()[-_MOST_WORDS:]
        except OSError:  # audit: empty-handler, because no output is an answer too
            return ""
        lines = said.decode(errors="replace").splitlines()
        own = [line.removeprefix("exai: ") for line in lines if line.startswith("exai: ")]
        return " ".join(own or lines[-1:]).strip()

    def _pause(self) -> None:
        if self._in_a_row:
            self._next = trio.current_time() + _PAUSES.ceiling_s(self._in_a_row)

    async def _wait_listening(self) -> bool:
        with trio.move_on_after(_WAIT_S):
            while not await self.listening():
                if self._reap():
                    self._pause()
                    return False
                await trio.sleep(_LOOK_S)
            return True
        return False

    def _reap(self) -> bool:
        """Whether our child has ended; says so once."""
        if self._child is None or self._child.poll() is None:
            return False
        status = self._child.returncode
        self.last_words = self._read_output() if status > 0 else ""
        log.warning("the daemon ended", extra={"status": status, "said": self.last_words})
        self._child = None
        if trio.current_time() - self._started > _LASTING_S:
            self._in_a_row = 0
        return True

    async def listening(self) -> bool:
        """Whether a connection to the address succeeds; nothing is said on it. Cancelling leaves nothing open."""
        try:
            stream = await trio.open_tcp_stream(self.host, self.port)
        except OSError:  # audit: empty-handler, because that nobody listens is the answer
            return False
        await stream.aclose()
        return True


def is_held(lock: Path) -> bool:
    """Whether a daemon has it. Looked at without taking it from anybody."""
    try:
        descriptor = os.open(lock, os.O_RDONLY)
    except OSError:  # audit: empty-handler, because a lock that is not there is not held
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        # audit: fault-as-success, because who cannot share it sees that it is held
        return True
    except OSError:  # audit: empty-handler, because what cannot be locked is held by nobody
        return False
    finally:
        os.close(descriptor)
    return False


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:  # audit: empty-handler, because that another has it is the answer
        return False
    return True
