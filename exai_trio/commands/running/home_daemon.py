"""The daemon that serves a home, as a process of this machine: whether there is one, and how it is ended."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import trio

from exai_trio.config import Config
from exai_trio.errors import ServiceUnavailableError
from exai_trio.shim.autostart import is_held
from exai_trio.system.home_id import HOME_LOCK

_LOOK_S: Final = 0.05
_BEGIN_S: Final = 3.0  # for a daemon that has just begun to write its id
_LATE_S: Final = 10.0  # beyond its drain
# Where the standard has it.
_PS: Final = ("/bin/ps", "/usr/bin/ps")


def is_running(config: Config) -> bool:
    return is_held(config.state / HOME_LOCK)


async def pid(config: Config) -> int:
    """Raises ServiceUnavailableError if it is not known, or some other process has it by now. Cancelling changes nothing."""
    file = config.logs / "ws_daemon.pid"
    found: int | None = None
    with trio.move_on_after(_BEGIN_S):  # noqa: ASYNC912 - returns or sleeps
        while (found := _written(file)) is None and is_running(config):  # noqa: ASYNC110  # a file
            await trio.sleep(_LOOK_S)
    if found is None:
        raise ServiceUnavailableError(f"{file} does not say which process the daemon is")
    if not any("exai" in words or "serve" in words for words in _command(found)):
        raise ServiceUnavailableError(
            f"process {found}, which {file} names, is no daemon of this machine; stop it where it was started"
        )
    return found


def _written(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="utf-8").split()[0])
    except (OSError, ValueError, IndexError):
        # audit: empty-handler, because None is the answer: no process is named
        return None


def _command(found: int) -> Iterator[str]:
    try:
        yield (
            Path(f"/proc/{found}/cmdline")  # audit: path, because it is the kernel's own path
            .read_bytes()
            .replace(b"\0", b" ")
            .decode(errors="replace")
        )
    except OSError:
        for ps in filter(os.path.exists, _PS):
            ran = subprocess.run(  # noqa: S603  # a number
                [ps, "-o", "args=", "-p", str(found)], capture_output=True, text=True, check=False
            )
            yield ran.stdout


async def end(config: Config) -> bool:
    """Ask it to end, and wait until it has; False if it is not gone after its drain. Cancelling lets it end alone.

    Raises ServiceUnavailableError if it cannot be asked.
    """
    process = await pid(config)
    try:
        os.kill(process, signal.SIGTERM)
    except ProcessLookupError:  # audit: empty-handler, because that it is gone is what was wanted
        pass
    except PermissionError as fault:
        raise ServiceUnavailableError(
            f"the daemon (process {process}) is another user's"
        ) from fault
    with trio.move_on_after(config.drain_s + _LATE_S):  # noqa: ASYNC912  # returns or sleeps
        while is_running(config):  # noqa: ASYNC110  # a lock of the file system tells nobody
            await trio.sleep(_LOOK_S)
        return True
    return False
