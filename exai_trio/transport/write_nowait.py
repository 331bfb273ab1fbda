"""Writing what a descriptor takes at once.

trio's own streams give up a turn of the scheduler before and after.
"""

import os

import trio


def written_at_once(stream: trio.abc.SendStream, data: bytes) -> int:
    """How many bytes the stream's descriptor took; the rest, also after a fault, is for the stream itself to send.

    Nobody else may be writing.
    """
    match stream:
        case trio.SocketStream():
            descriptor = stream.socket.fileno()
        case trio.lowlevel.FdStream():
            descriptor = stream.fileno()
        case _:
            return 0
    try:
        return os.write(descriptor, data)
    except OSError:  # full, broken or closed: the stream knows how to wait and what to raise
        # audit: empty-handler, because the stream sends the rest and raises what is to be raised
        return 0
