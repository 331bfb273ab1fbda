"""Handing the listening sockets to the daemon that replaces this one, over a socket file in EXAI_HOME.

Both daemons hold the same queue of connections for a moment: whoever connects meanwhile waits in it, and is refused by nobody.
The old daemon stops only once the new one has said that it has the sockets. Who owns EXAI_HOME is settled by `home`.
"""

import array
import logging
import os
import socket
import stat
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import trio

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.errors import ServiceUnavailableError

from ..context import Shutdown

log = logging.getLogger("exai.takeover")

_NAME = "handover.sock"
_SOCKETS, _TAKEN = b"s", b"t"
_MOST_SOCKETS = 16
_ANSWER_S = 5.0  # for each side's next word
_AGAIN_S = 0.1
_INT = array.array("i").itemsize


@structs.frozen(kw_only=True)
class Taken:
    """The sockets of the daemon that we replace, and the way to it."""

    listeners: list[trio.SocketListener]
    stream: trio.SocketStream


async def offer(
    listeners: Sequence[trio.SocketListener],
    config: Config,
    shutdown: Shutdown,
    task_status: trio.TaskStatus[None],
) -> None:
    """Wait for a successor in the home that we own; give it the sockets and note that we end.

    Where socket files cannot be used, there is only no successor.
    Cancelling removes the socket file; a successor that has not said by then that it has the sockets is left without them.
    """
    with ExitStack() as stack:
        try:
            door = stack.enter_context(_door(config))
        except OSError as fault:
            log.warning("cannot be replaced without a gap", extra={"fault": str(fault)})
            task_status.started()
            return
        task_status.started()
        while not shutdown.replaced:
            try:
                successor, _ = await door.accept()
            except OSError as fault:  # no descriptors left, as a rule: a successor has patience
                log.warning("successor not heard", extra={"fault": str(fault)})
                await trio.sleep(_AGAIN_S)
            else:
                shutdown.successor = await _given(successor, listeners)
        shutdown.stop.set()


async def _given(
    successor: trio.socket.SocketType, listeners: Sequence[trio.SocketListener]
) -> trio.SocketStream | None:
    """The way to the successor, which has the sockets and is to be closed by whoever leaves; None if it has not."""
    taken = False
    try:
        with suppress(OSError), trio.move_on_after(_ANSWER_S):
            # audit: suppress, because None says that the successor has them not
            taken = await _give(successor, listeners)
    finally:
        if not taken:
            successor.close()
    return trio.SocketStream(successor) if taken else None


async def _give(
    successor: trio.socket.SocketType, listeners: Sequence[trio.SocketListener]
) -> bool:
    """Whether the successor has them; until it says so, nothing has changed."""
    numbers = array.array("i", [listener.socket.fileno() for listener in listeners])
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, numbers.tobytes())]
    await successor.sendmsg([_SOCKETS], rights)
    return await successor.recv(1) == _TAKEN


async def take_over(config: Config) -> Taken | None:
    """The sockets of the daemon that serves EXAI_HOME, which leaves now; None if there is no such daemon. The caller closes.

    Raises ServiceUnavailableError if it listens elsewhere than we are to, or does not give its sockets; then it serves on.
    Cancelling closes what was received; the other daemon serves on if it has not heard by then that we have its sockets.
    """
    asking = trio.socket.socket(socket.AF_UNIX)
    taken: Taken | None = None
    try:
        taken = await _take(asking, config)
    finally:
        if taken is None:
            asking.close()
    return taken


async def _take(asking: trio.socket.SocketType, config: Config) -> Taken | None:
    try:
        with _short_path(config.state) as folder:
            await asking.connect(str(folder / _NAME))
    except OSError:  # audit: empty-handler, because None says that no daemon is there
        return None
    with trio.move_on_after(_ANSWER_S):
        taken = await _receive(asking)
        with ExitStack() as otherwise:
            for one in taken:
                otherwise.callback(one.close)
            _check_place(taken, config)
            await asking.send(_TAKEN)
            otherwise.pop_all()
        sockets = [trio.socket.from_stdlib_socket(one) for one in taken]
        listeners = [trio.SocketListener(one) for one in sockets]
        return Taken(listeners=listeners, stream=trio.SocketStream(asking))
    raise ServiceUnavailableError(f"the daemon of EXAI_HOME {config.home} does not hand over")


async def _receive(asking: trio.socket.SocketType) -> list[socket.socket]:
    room = socket.CMSG_SPACE(_MOST_SOCKETS * _INT)
    try:
        said, rights, _, _ = await asking.recvmsg(len(_SOCKETS), room)
    except OSError:  # audit: empty-handler, because no sockets came, and the caller listens itself
        return []
    numbers = array.array("i")
    for level, kind, data in rights:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            numbers.frombytes(data[: len(data) - len(data) % _INT])
    found = [socket.socket(fileno=number) for number in numbers]
    return found if said == _SOCKETS else []


def _check_place(taken: Sequence[socket.socket], config: Config) -> None:
    ports = {one.getsockname()[1] for one in taken}
    if not ports:
        raise ServiceUnavailableError(
            f"the daemon of EXAI_HOME {config.home} gives no sockets; stop it, then start this one"
        )
    if config.ws_port and ports != {config.ws_port}:
        raise ServiceUnavailableError(
            f"the daemon of EXAI_HOME {config.home} listens on port {min(ports)}, not {config.ws_port}:"
            " a change of EXAI_WS_PORT needs a stop and a start"
        )


@contextmanager
def _door(config: Config) -> Generator[trio.socket.SocketType]:
    """The socket file, only for our user; what a killed daemon left there is replaced. Raises OSError."""
    path = config.state / _NAME
    with socket.socket(socket.AF_UNIX) as raw, _short_path(config.state) as folder:
        _remove(path)
        raw.bind(str(folder / _NAME))
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)
        raw.listen(1)
        try:
            yield trio.socket.from_stdlib_socket(raw)
        finally:
            _remove(path)


@contextmanager
def _short_path(folder: Path) -> Generator[Path]:
    """Another name of the directory: the name of a socket file may have about a hundred bytes only. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # audit: path, because it is the kernel's own path
        short = Path(f"/proc/self/fd/{descriptor}")
        yield short if short.exists() else folder
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    with suppress(OSError):
        # audit: suppress, because a socket file that is left is replaced by the next daemon
        path.unlink()
