"""Relays from npm that do what shim and daemon do, beside them in the same run: supergateway, and mcp-remote before it.

They are fetched into a folder that is gone afterwards; where npm has none of them they are skipped, and the reason is told.
"""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from .editor import Editor
from .pairs import IN_FLIGHT, ROOM, our_daemon
from .processes import NotHere, child, environment, free_port, home, wait_open
from .report import Goal, Row, median, percentile

_PACKAGES = ("supergateway@4", "mcp-remote@0.15")
_FETCH_S = 600.0
_PROMPT = ("The quick brown fox jumps over the lazy dog. " * 23)[:1024]
_ECHO = Path(__file__).parent / "peer_echo.py"
Client = Callable[[Path, str], list[str]]


def _supergateway(modules: Path, url: str) -> list[str]:
    return ["node", str(modules / "supergateway/dist/index.js"), "--sse", url, "--logLevel", "none"]


def _mcp_remote(modules: Path, url: str) -> list[str]:
    return ["node", str(modules / "mcp-remote/dist/proxy.js"), url, "--transport", "sse-only"]


_CLIENTS: Mapping[str, Client] = {"supergateway": _supergateway, "mcp-remote": _mcp_remote}


def relays(*, quick: bool) -> Iterator[Row]:
    """test_echo through ours, whose journal is on, and through each of them: alone, and with 64 in flight."""
    with home() as where, our_daemon(**ROOM) as daemon:
        modules = _fetched(where)
        for name, command in _CLIENTS.items():
            # A gateway takes one client and no second one.
            with (
                _gateway(modules) as url,
                daemon.connected_editor(_PROMPT) as mine,
                _editor(command(modules, url)) as theirs,
            ):
                yield from _beside(name, mine, theirs, quick=quick)


def _beside(name: str, mine: Editor, theirs: Editor, *, quick: bool) -> Iterator[Row]:
    blocks, calls, rounds, flood = (4, 20, 2, 400) if quick else (40, 50, 6, 2000)
    ours_s: list[float] = []
    theirs_s: list[float] = []
    for _ in range(blocks):
        ours_s += mine.timed_calls(calls, _PROMPT)
        theirs_s += theirs.timed_calls(calls, _PROMPT)
    rates = [
        (
            flood / mine.flood(flood, IN_FLIGHT, _PROMPT),
            flood / theirs.flood(flood, IN_FLIGHT, _PROMPT),
        )
        for _ in range(rounds)
    ]
    yield Row(
        what=f"echo with our journal, {name} as floor: p50",
        unit="ms",
        ours=percentile(ours_s, 50) * 1000,
        floor=percentile(theirs_s, 50) * 1000,
        goal=Goal("at most", 0.8, of_floor=True),
    )
    yield Row(
        what=f"  {IN_FLIGHT} in flight: calls per second, median",
        unit="/s",
        ours=median([rate for rate, _ in rates]),
        floor=median([rate for _, rate in rates]),
        goal=Goal("at least", 3, of_floor=True),
    )


@contextmanager
def _editor(command: list[str]) -> Generator[Editor]:
    """An editor of theirs after its first call."""
    with home() as where, child(command, environment(where, HOME=where), where) as process:
        editor = Editor(process)
        editor.greet()
        editor.list_tools()
        editor.check_echo(_PROMPT)
        yield editor


def _fetched(folder: Path) -> Path:
    """Their node_modules, in that folder. Raises NotHere."""
    if shutil.which("npm") is None:
        raise NotHere("npm is not installed")
    words = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", *_PACKAGES]
    try:
        subprocess.run(words, cwd=folder, check=True, capture_output=True, timeout=_FETCH_S)
    except subprocess.TimeoutExpired as slow:
        raise NotHere(f"npm did not fetch {_PACKAGES} within {_FETCH_S:g} s") from slow
    except subprocess.CalledProcessError as fault:
        said = fault.stderr.decode(errors="replace").strip()[-500:]
        raise NotHere(f"npm could not fetch {_PACKAGES}: {said}") from fault
    return folder / "node_modules"


@contextmanager
def _gateway(modules: Path) -> Generator[str]:
    """supergateway before an echo server; it cannot be told to listen on loopback only."""
    port = free_port()
    echo = shlex.join([sys.executable, str(_ECHO)])
    command = ["node", str(modules / "supergateway/dist/index.js"), "--stdio", echo, "--outputTransport", "sse", "--port", str(port), "--logLevel", "none"]  # fmt: skip
    with home() as where, child(command, environment(where), where):
        wait_open("supergateway", port)
        yield f"http://127.0.0.1:{port}/sse"
