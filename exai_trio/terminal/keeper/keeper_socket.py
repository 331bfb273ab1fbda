"""The keeper's socket: a file in its working directory, for processes of its own user. Standard library only.

The file's name is relative, since a whole path may have more than the 107 bytes that a Unix address holds.
"""

import os
import socket
import struct
from collections.abc import Callable

from .system_calls import unless_gone

_CREDENTIALS = struct.Struct("3i")  # process, user, group
_BACKLOG = 128
_NOT_YET = ".new"


def bind(name: str) -> socket.socket:
    """Listen on that file of the working directory. Raises OSError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(name + _NOT_YET)
        listener.listen(_BACKLOG)
        os.rename(name + _NOT_YET, name)  # who finds it can connect
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    listener.setblocking(False)
    return listener


def accept(listener: socket.socket) -> socket.socket | None:
    """The next connection of our own user; None if there is none."""
    accepted = unless_gone(listener.accept)
    if accepted is None:
        return None
    connection = accepted[0]
    if unless_gone(peer_user, connection.getsockopt) != os.geteuid():
        connection.close()
        return None
    connection.setblocking(False)
    return connection


def peer_user(option: Callable[[int, int, int], bytes]) -> int:
    """Whose process is at the other end of the socket that has this `getsockopt`. Raises OSError."""
    found = option(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(found)[1])


def remove(name: str) -> None:
    unless_gone(os.unlink, name)
