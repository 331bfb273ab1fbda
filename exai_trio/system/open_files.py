"""How many files and sockets the process may open, and still may: told by the number of the newest, since the system gives the lowest.

The last ones are held back for what calls need: the import of a library, a provider's socket, a file. Connections of clients
are refused before that, those for HTTP a little later, so that the daemon's health can still be read.
"""

import resource
from contextlib import suppress
from typing import Final, Literal

import trio

HELD_BACK: Final = 64  # or a quarter, where the process may have few
_SHARES: Final = {"client": 1.0, "refusal": 0.75, "http": 0.5}
Purpose = Literal["client", "refusal", "http"]


def raise_limit() -> None:
    """As many as the system allows without asking: its soft limit is for programs of another kind. A system that refuses is
    obeyed."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        # audit: suppress, because a system that does not allow it goes on with fewer
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def is_scarce(stream: trio.abc.Stream, purpose: Purpose) -> bool:
    """Whether a connection with this purpose takes what is held back. False for what is no socket."""
    if not isinstance(stream, trio.SocketStream):
        return False
    return takes_held_back(stream.socket.fileno(), _limit(), purpose)


def takes_held_back(descriptor: int, limit: int, purpose: Purpose) -> bool:
    held_back = min(HELD_BACK, limit // 4) * _SHARES[purpose]
    return descriptor >= limit - held_back


def _limit() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else 2**31
