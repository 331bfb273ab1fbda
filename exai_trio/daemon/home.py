"""The daemon's own files under EXAI_HOME: the lock that keeps a second daemon out, and the pid file."""

import fcntl
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import trio

from exai_trio.config import Config
from exai_trio.errors import ServiceUnavailableError, StorageError
from exai_trio.observability.files import private_directory, replace_private

_LOOK_S = 0.005


@contextmanager
def own_home(config: Config) -> Generator[Callable[[], None]]:
    """Hold EXAI_HOME while the daemon runs, or until what this gives is called. Raises ServiceUnavailableError if another daemon holds it, StorageError if it
    cannot be written."""
    try:
        lock = os.open(
            private_directory(config.state) / "daemon.lock", os.O_RDWR | os.O_CREAT, 0o600
        )
    except OSError as fault:
        raise StorageError(
            f"EXAI_HOME {config.home} cannot be written: {fault.strerror}"
        ) from fault
    try:
        _lock(lock, config)
        yield lambda: fcntl.flock(lock, fcntl.LOCK_UN)
    finally:
        os.close(lock)


async def wait_free(config: Config, within: float) -> None:
    """Return when no daemon holds EXAI_HOME, or after so many seconds: then `own_home` says what is wrong."""
    with trio.move_on_after(within):  # noqa: ASYNC912 - returns or sleeps
        while not _is_free(config):  # noqa: ASYNC110 - another process lets go, no event of ours
            await trio.sleep(_LOOK_S)


def _is_free(config: Config) -> bool:
    try:
        with own_home(config):
            return True
    except ServiceUnavailableError:
        return False


def _lock(lock: int, config: Config) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ServiceUnavailableError(
            f"another daemon already uses EXAI_HOME {config.home}; stop it, or give this one a home of its own"
        ) from None


@contextmanager
def pid_file(config: Config) -> Generator[None]:
    """`logs/ws_daemon.pid` while the daemon runs."""
    path: Path = config.logs / "ws_daemon.pid"
    ours = f"{os.getpid()}\n".encode()
    replace_private(path, ours)
    try:
        yield
    finally:
        with suppress(OSError):
            if path.read_bytes() == ours:  # not a successor's
                path.unlink()
