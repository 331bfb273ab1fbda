"""How promptly the daemon turns from one task to the next, and answers a ping, with 64 calls in flight."""

import json
import signal
import sys
import threading
import time
from collections.abc import Iterator

import trio

from .pairs import IN_FLIGHT, ROOM, our_daemon
from .peer import connection, greet, hear, run, say
from .processes import FLOOR, read_line
from .relay import PROMPT
from .report import Goal, Row, percentile

_PING_EVERY_S = 0.01


def loaded(*, quick: bool) -> Iterator[Row]:
    """One editor keeps 64 calls in flight; another client, which asks nothing, pings."""
    calls = 1_000 if quick else 20_000
    waits: list[float] = []
    command = [sys.executable, str(FLOOR / "watch_steps.py")]
    with our_daemon(command, **ROOM) as daemon:
        with daemon.connected_editor(PROMPT) as editor:
            flood = threading.Thread(target=editor.flood, args=(calls, IN_FLIGHT, PROMPT))
            flood.start()
            run(_ping, daemon.port, flood, waits)
        daemon.process.send_signal(signal.SIGTERM)
        steps = json.loads(read_line(daemon.process))
    yield Row(
        what=f"daemon: a step of its event loop, {IN_FLIGHT} in flight, p99",
        unit="ms",
        ours=steps["p99"] * 1000,
        goal=Goal("at most", 5),
    )
    yield Row(what="  the longest", unit="ms", ours=steps["most"] * 1000)
    yield Row(
        what="  a ping of another client meanwhile, p99",
        unit="ms",
        ours=percentile(waits, 99) * 1000,
        goal=Goal("at most", 10),
    )


async def _ping(port: int, flood: threading.Thread, waits: list[float]) -> None:
    async with connection(port) as socket:
        await greet(socket)
        while flood.is_alive():
            began = time.perf_counter()
            await say(socket, "ping", request_id="p")
            await hear(socket)
            waits.append(time.perf_counter() - began)
            await trio.sleep(_PING_EVERY_S)
