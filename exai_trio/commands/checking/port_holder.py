"""Who listens on a port of this machine: by the system's tables where they tell, else by what answers there.

Blocking.
"""

import http.client
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_LISTENING: Final = "0A"
_WAIT_S: Final = 0.5
_MOST: Final = 60  # characters of what somebody says of themselves
# The kernel's own path.
_PROC: Final = Path("/proc")
# The header by which a server that often holds one of our ports is known.
_KNOWN: Final = {"llama.cpp": "llama-server"}


def holder(port: int, proc: Path = _PROC) -> str:
    """Words for whoever listens on the port of this machine, such as "llama-server (process 812)"; "" if nobody is known."""
    named = next(_processes(_sockets(port, proc), proc), "")
    return named or _by_answer(port)


def _sockets(port: int, proc: Path) -> set[str]:
    """The inodes of the sockets that listen there."""
    found: set[str] = set()
    for table in ("net/tcp", "net/tcp6"):
        with suppress(OSError):
            # audit: suppress, because a table that is not there names no sockets
            for line in (proc / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    found.add(f"socket:[{fields[9]}]")
    return found


def _processes(sockets: set[str], proc: Path) -> Iterator[str]:
    """Only those of our own user can be looked into."""
    if not sockets:
        return
    for process in proc.iterdir():
        if not process.name.isdigit():
            continue
        with suppress(OSError):
            # audit: suppress, because a process of others cannot be looked into
            if any(os.readlink(each) in sockets for each in (process / "fd").iterdir()):  # noqa: PTH115  # no path
                yield f"{_name(process)} (process {process.name})"


def _name(process: Path) -> str:
    words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    if "exai_trio" in words or any(Path(word).name == "exai" for word in words[:2]):
        return "another exai"
    return Path(words[0]).name[:_MOST] or (process / "comm").read_text().strip()


def _by_answer(port: int) -> str:
    # audit: host, because only this machine's holder of a port is asked
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_WAIT_S)
    try:
        connection.request("GET", "/")
        said = connection.getresponse().getheader("Server", "")
    except (OSError, http.client.HTTPException):
        # audit: empty-handler, because no answer is no name
        return ""
    finally:
        connection.close()
    clean = "".join(letter for letter in said if letter.isprintable())[:_MOST]
    return _KNOWN.get(clean, f"something that calls itself {clean}" if clean else "")
