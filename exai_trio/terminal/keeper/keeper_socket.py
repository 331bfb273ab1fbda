"""The keeper's socket: a file in its working directory, for processes of its own user. Standard library only.

The file's name is relative, since a whole path may have more than the 107 bytes that a Unix address holds.
"""

import os
import socket
import struct

from .system_calls import unless_gone

_CREDENTIALS = struct.Struct("3i")  # process, user, group
_BACKLOG = 128


def bind(name: str) -> socket.socket:
    """Listen on that file of the working directory. Raises OSError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(name)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener


def accept(listener: socket.socket) -> socket.socket | None:
    """The next connection of our own user; None if there is none."""
    accepted = unless_gone(listener.accept)
    if accepted is None:
        return None
    connection = accepted[0]
    if unless_gone(peer_user, connection) != os.geteuid():
        connection.close()
        return None
    connection.setblocking(False)
    return connection


def peer_user(connection: socket.socket) -> int:
    """Whose process is at the other end. Raises OSError."""
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(found)[1])


def remove(name: str) -> None:
    unless_gone(os.unlink, name)
