"""Who is at the other end of a TCP connection: which address, and, on this machine, which user.

Linux alone says the latter: /proc/net/tcp and tcp6 have a line for each end of a connection, with the user who opened that socket. Reading one takes 2 to
4 ms, mostly for walking the kernel's table, and 1 ms for each 2000 sockets.
"""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import trio

from exai_trio import structs

# The kernel's own paths.
TABLES: Final = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_MOST_BYTES: Final = (
    8 * 2**20
)  # of a table: 50,000 sockets. Who is not found among so many is not known
_LOOKS: Final = (
    2  # the kernel gives a table in pieces, and a line may slip by while others come and go
)
_ESTABLISHED: Final = b"01"
_LISTENS: Final = b"0A"
_USER: Final = 3  # of the words behind the state: queues, timer, retransmits, user
_EVERYBODY: Final = 4_294_967_295
_MAPPED: Final = bytes(10) + b"\xff\xff"

Address = tuple[str, int]
_NOWHERE: Final = ("0.0.0.0", 0)  # noqa: S104  # compared, not bound


@structs.frozen
class Ends:
    """Both addresses of a connection."""

    ours: Address
    theirs: Address

    @classmethod
    def of(cls, stream: trio.abc.Stream) -> "Ends | None":
        """None for a stream within this process. A peer that is gone is nowhere."""
        if not isinstance(stream, trio.SocketStream):
            return None
        try:
            here, there = stream.socket.getsockname(), stream.socket.getpeername()
        except OSError:
            here = there = _NOWHERE
        return cls((here[0], here[1]), (there[0], there[1]))

    @property
    def on_loopback(self) -> bool:
        packed = _packed(self.theirs[0])
        return packed[-4:-3] == b"\x7f" if len(packed) == 4 else packed == bytes(15) + b"\x01"  # noqa: PLR2004  # IPv4

    def uid(self) -> int | None:
        """The user whose process has the other end; None where the system does not say, or the peer is elsewhere. Blocks."""
        for _ in range(_LOOKS):
            for table, line in self._places():
                try:
                    found = _uid_at(table, line)
                except OSError:
                    # audit: silent-loop, because None says that the system does not tell
                    continue
                if found is not None:
                    return None if _is_nobody_in_particular(found) else found
        return None

    def _places(self) -> list[tuple[Path, bytes]]:
        """Where the line of the other end may stand, and how it begins. A socket for IPv6 can speak IPv4."""
        tcp, tcp6 = TABLES
        ours, theirs = _packed(self.ours[0]), _packed(self.theirs[0])
        six = (tcp6, _line(_as_six(theirs), self.theirs[1], _as_six(ours), self.ours[1]))
        if len(theirs) != 4:  # noqa: PLR2004  # IPv4
            return [six]
        return [(tcp, _line(theirs, self.theirs[1], ours, self.ours[1])), six]


def says_who(tables: tuple[Path, Path] = TABLES) -> bool:
    """Whether this system says which user has a socket."""
    return tables[0].exists()


def listener_uids(port: int) -> frozenset[int]:
    """The users whose processes listen on that port of this machine; empty where the system does not say, or not for all. Blocks."""
    found: set[int] = set()
    for table in TABLES:
        try:
            found.update(_listening(table, b":%04X" % port))
        except (OSError, ValueError, IndexError):
            # audit: empty-handler, because nobody is the answer where the system does not tell
            return frozenset()
    return frozenset() if any(map(_is_nobody_in_particular, found)) else frozenset(found)


def _listening(table: Path, port: bytes) -> Iterator[int]:
    if not table.exists():  # a system without IPv6
        return
    with table.open("rb") as file:
        lines = file.read(_MOST_BYTES).splitlines()[1:]
    for line in lines:
        _, ours, _, state, *rest = line.split(maxsplit=_USER + 5)
        if state == _LISTENS and ours.endswith(port):
            yield int(rest[_USER])


def _uid_at(table: Path, line: bytes) -> int | None:
    with table.open("rb") as file:
        _, found, rest = file.read(_MOST_BYTES).partition(line)
    words = rest.split(maxsplit=_USER + 1)
    return int(words[_USER]) if found and len(words) > _USER else None


def _is_nobody_in_particular(uid: int) -> bool:
    """In a user namespace all users from outside it look like one; that need not be one person."""
    try:
        # audit: path, because it is the kernel's own path
        overflow = int(Path("/proc/sys/kernel/overflowuid").read_text(encoding="ascii"))
        # audit: path, because it is the kernel's own path
        known = Path("/proc/self/uid_map").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        # audit: empty-handler, because a system without these tables has no such user
        return False
    return uid == overflow and known != ["0", "0", str(_EVERYBODY)]


def _packed(address: str) -> bytes:
    if ":" not in address:
        return socket.inet_pton(socket.AF_INET, address)
    packed = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    return packed.removeprefix(_MAPPED)


def _as_six(packed: bytes) -> bytes:
    return packed if len(packed) == 16 else _MAPPED + packed  # noqa: PLR2004  # IPv6


def _line(theirs: bytes, their_port: int, ours: bytes, our_port: int) -> bytes:
    ends = f" {_hex(theirs)}:{their_port:04X} {_hex(ours)}:{our_port:04X} "
    return ends.encode() + _ESTABLISHED + b" "


def _hex(packed: bytes) -> str:
    """As the kernel prints addresses: each four bytes as one number of this machine."""
    words = (packed[start : start + 4] for start in range(0, len(packed), 4))
    return "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
