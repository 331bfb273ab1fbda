"""The folder of a home's keepers: starting one, finding those that live, connecting to one.

A keeper's socket is reached through a descriptor of the folder: a whole path may be longer than a Unix address can be.
"""

import errno
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import trio

from exai_trio import structs
from exai_trio.system.private_files import private_directory
from exai_trio.wire.terminal_errors import TerminalError
from exai_trio.wire.terminal_messages import is_session_id

from .keeper import keeper_frames
from .keeper.keeper_socket import peer_user
from .keeper_connection import KeeperConnection, KeeperGone, NoKeeper

_PROGRAM: Final = Path(keeper_frames.__file__).with_name("keeper.py")
# The kernel's own path.
_DESCRIPTORS: Final = "/proc/self/fd"
_SOCKET: Final = ".sock"
_START_S: Final = 20.0
_NO_PTY: Final = frozenset({errno.ENOSPC, errno.EAGAIN, errno.ENXIO, errno.EIO})


@structs.frozen(eq=False)
class Keepers:
    """All keepers of one home."""

    folder: Path

    async def start(self, spec: dict[str, Any]) -> None:
        """Start a keeper, and with it a program. Raises TerminalError if that does not run. Cancelling may leave it running: it
        is found then, as after a daemon's end."""
        session_id: str = spec["record"]["session_id"]
        try:
            private_directory(self.folder)
            done = await self._run(spec, session_id)
        except OSError as fault:
            raise TerminalError("NOT_STARTED", f"no keeper was started: {fault}") from fault
        said = msgspec.json.decode(done or b"{}", type=dict[str, Any])
        if "pid" not in said:
            raise _not_started(said)

    async def _run(self, spec: dict[str, Any], session_id: str) -> bytes:
        """What it says."""
        with trio.move_on_after(_START_S):
            done = await trio.run_process(
                [sys.executable, "-I", "-S", str(_PROGRAM), session_id],
                stdin=msgspec.json.encode(spec | {"folder": str(self.folder)}),
                capture_stdout=True,
                check=False,
                env={},
            )
            return bytes(done.stdout)
        raise TerminalError("NOT_STARTED", f"no keeper was there within {_START_S:g} s")

    @asynccontextmanager
    async def connect(self, session_id: str) -> AsyncGenerator[KeeperConnection]:
        """A connection to the keeper of this session. Raises KeeperGone. It is closed when the context is left. Cancelling closes it too."""
        stream = await self._open(session_id)
        try:
            if peer_user(partial(_option, stream)) != os.geteuid():
                raise KeeperGone
            yield KeeperConnection(stream)
        finally:
            await trio.aclose_forcefully(stream)

    async def _open(self, session_id: str) -> trio.SocketStream:
        try:
            place = os.open(self.folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as fault:
            raise KeeperGone from fault
        try:
            return await trio.open_unix_socket(f"{_DESCRIPTORS}/{place}/{session_id}{_SOCKET}")
        except (ConnectionRefusedError, FileNotFoundError) as fault:
            raise NoKeeper from fault
        except OSError as fault:
            raise KeeperGone from fault
        finally:
            os.close(place)

    async def names(self) -> list[str]:
        """The sessions whose sockets are there, alive or not. Cancelling leaves the look to its thread."""
        return await trio.to_thread.run_sync(self._names, abandon_on_cancel=True)

    async def sweep(self, session_id: str) -> None:
        """Remove the socket that a keeper has left which was killed. Cancelling waits for the thread that does it."""
        path = self.folder / f"{session_id}{_SOCKET}"
        await trio.to_thread.run_sync(partial(path.unlink, missing_ok=True))

    def _names(self) -> list[str]:
        found = self.folder.glob(f"*{_SOCKET}") if self.folder.is_dir() else ()
        return sorted(path.stem for path in found if is_session_id(path.stem))


def _option(stream: trio.SocketStream, level: int, name: int, size: int) -> bytes:
    return stream.getsockopt(level, name, size)


def _not_started(said: dict[str, Any]) -> TerminalError:
    number, what = said.get("fault"), said.get("what", "the keeper")
    why = os.strerror(number) if isinstance(number, int) else "it ended at once"
    if what == "pty" and number in _NO_PTY:
        return TerminalError(
            "NOT_STARTED",
            f"there is no pseudo-terminal left ({why}); end a session, or raise kernel.pty.max",
        )
    return TerminalError("NOT_STARTED", f"{what} cannot be started: {why}")
