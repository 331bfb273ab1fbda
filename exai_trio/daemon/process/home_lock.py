"""The daemon's own files under EXAI_HOME: the lock that keeps a second daemon out, and the pid file.

A home that cannot be written keeps no daemon from serving: it is taken as soon as it can be.
"""

import fcntl
import math
import os
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import attrs
import msgspec
import trio

from exai_trio import structs
from exai_trio.access.shared_token import Rotation, rotation_file
from exai_trio.config import Config
from exai_trio.errors import ServiceUnavailableError
from exai_trio.system.home_id import HOME_LOCK, kept_id
from exai_trio.system.private_files import AT_ONCE, private_directory, replace_private, tighten
from exai_trio.transport.token_file import made_token

_LOOK_S = 0.005


@structs.define(eq=False)
class HomeLock:
    """`fault` says why it is not ours yet; `id` tells it from other homes, "" until it is ours; `token` is the home's, once it is there for its user to read; `tightened`, that
    others could look into what only we may read."""

    config: Config
    fault: str | None = None
    id: str = ""
    token: str = attrs.field(default="", repr=False)
    tightened: bool = False
    _lock: int | None = None
    _noted: bool = False

    def __repr__(self) -> str:
        state = "not ours" if self._lock is None else "held"
        return f"<HomeLock {self.config.home} {state}>"

    @property
    def _pid_file(self) -> Path:
        return self.config.logs / "ws_daemon.pid"

    def take(self) -> None:
        """Hold it if it can be written. Raises ServiceUnavailableError if another daemon holds it."""
        if self._lock is not None:
            return
        try:
            lock = _open_lock(self.config.state)
        except OSError as fault:
            why = fault.strerror or str(fault)
            self.fault = f"EXAI_HOME {self.config.home} cannot be written: {why}"
            return
        with ExitStack() as otherwise:
            otherwise.callback(os.close, lock)
            _hold(lock, self.config)
            otherwise.pop_all()
        self._lock, self.fault = lock, None
        with suppress(OSError):  # audit: suppress, because a job tries again and says so
            self.tightened = tighten(self.config.state)

    def note_pid(self) -> None:
        """`logs/ws_daemon.pid`, until `leave`; and which home this is. Raises OSError."""
        if self._lock is not None and not self.id:
            self.id = kept_id(self._lock)
        if not self._noted:
            replace_private(self._pid_file, _pid_line())
            self._noted = True

    @property
    def was_left(self) -> bool:
        """Whoever held it before said that it left: it was not killed, and its machine was not."""
        return self._lock is None or self._noted or not self._pid_file.exists()

    def look(self) -> None:
        """Take what could not be had before. Raises ServiceUnavailableError; or OSError, which names EXAI_HOME."""
        self.take()
        if self.fault is not None:
            raise OSError(self.fault)
        self.note_pid()
        self.keep_token()

    def keep_token(self) -> None:
        """`state/ws_token`, for clients of this user: they show it where a system does not say whose a connection is. Raises
        OSError."""
        path = self.config.token_file
        held = self._lock is not None and self.config.makes_token
        if held and not (self.token and path.exists()):
            self.token = made_token(path, self.token)

    async def replace_token(self, token: str) -> None:
        """Have another token for this home, for daemons to come too. Raises OSError. Cancelling leaves the write to its thread."""
        if self._lock is None:
            raise OSError(f"EXAI_HOME {self.config.home} is not ours")
        await trio.to_thread.run_sync(
            replace_private, self.config.token_file, f"{token}\n".encode()
        )
        self.token = token

    async def keep_rotation(self, rotation: Rotation) -> None:
        """Write down that the user's own token was replaced. Raises OSError. Cancelling leaves the write to its thread."""
        path = rotation_file(self.config.state)
        await trio.to_thread.run_sync(replace_private, path, msgspec.json.encode(rotation))

    def let_go(self) -> None:
        """Another daemon may take it from now on."""
        if self._lock is not None:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def leave(self) -> None:
        if self._noted:
            with suppress(OSError):
                # audit: suppress, because a file that is left names a process that has ended
                if self._pid_file.read_bytes() == _pid_line():  # not a successor's
                    self._pid_file.unlink()
        if self._lock is not None:
            os.close(self._lock)


@contextmanager
def own_home(config: Config) -> Generator[HomeLock]:
    """Hold EXAI_HOME while the daemon runs. Raises ServiceUnavailableError if another daemon holds it."""
    home = HomeLock(config)
    try:
        home.take()
        yield home
    finally:
        home.leave()


async def wait_free(config: Config, within: float) -> None:
    """Return when no daemon holds EXAI_HOME, or after so many seconds: then `own_home` says what is wrong. Cancelling leaves nothing
    behind."""
    for _ in range(math.ceil(within / _LOOK_S)):
        if _is_free(config):
            return
        await trio.sleep(_LOOK_S)


def _is_free(config: Config) -> bool:
    try:
        with own_home(config):
            return True
    except ServiceUnavailableError:
        # audit: empty-handler, because that another daemon holds it is the answer
        return False


def _pid_line() -> bytes:
    return f"{os.getpid()}\n".encode()


def _open_lock(state: Path) -> int:
    """Also for reading only: a lock can be had on that too. Raises OSError."""
    path = state / HOME_LOCK
    try:
        return os.open(private_directory(state) / path.name, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return os.open(path, os.O_RDONLY | AT_ONCE)


def _hold(lock: int, config: Config) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ServiceUnavailableError(
            f"another daemon already uses EXAI_HOME {config.home}; stop it, or give this one a home of its own"
        ) from None
