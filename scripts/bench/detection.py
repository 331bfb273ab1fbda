"""How long it takes to look for model servers of this machine: where there is none, and where every port hangs."""

import time
from collections.abc import Iterator
from functools import partial

import trio

from exai_trio.providers.local_servers.addresses import USUAL_PORTS, Address
from exai_trio.providers.local_servers.detect import detect_at

from .report import Goal, Row, median


def detection(*, quick: bool) -> Iterator[Row]:
    """On ports of our own, since others may hold the usual ones; there are as many."""
    rounds = 3 if quick else 10
    for what, hangs, goal in (("nobody there", False, 0.3), ("every port hangs", True, 1.0)):
        times = [trio.run(partial(_looked, hangs=hangs)) for _ in range(rounds)]
        goal_ms = Goal("at most", goal * 1000)
        yield Row(
            what=f"look for model servers, {what}",
            unit="ms",
            ours=median(times) * 1000,
            goal=goal_ms,
        )


async def _looked(*, hangs: bool) -> float:
    listeners = [(await trio.open_tcp_listeners(0, host="127.0.0.1"))[0] for _ in USUAL_PORTS]
    addresses = [Address("127.0.0.1", each.socket.getsockname()[1]) for each in listeners]
    async with trio.open_nursery() as nursery:
        if hangs:
            nursery.start_soon(trio.serve_listeners, _hang, listeners)
        else:
            for each in listeners:
                await each.aclose()
        began = time.perf_counter()
        found = await detect_at(addresses)
        took = time.perf_counter() - began
        nursery.cancel_scope.cancel(reason="measured")
    assert not found
    return took


async def _hang(stream: trio.SocketStream) -> None:
    async with stream:
        await trio.sleep_forever()
