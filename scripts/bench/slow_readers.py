"""Clients that read a result of 100 MiB at 10 KB/s, or not at all: what others wait meanwhile, and what the daemon holds for them."""

import time
from collections.abc import Iterator
from functools import partial

import trio

from exai_trio.transport.websocket import Limits, connect
from exai_trio.wire.codec import decode_daemon, encode
from exai_trio.wire.messages import CallResult, CallTool, Hello
from exai_trio.wire.payload_download import PayloadDownload
from exai_trio.wire.payload_frames import reference_in

from .payloads import LARGEST, MIB, Served, daemon, fetch, peak, pinging, reset_peak
from .peer import run
from .report import Goal, Row

_READ, _EACH_S = 1_000, 0.1  # 10 KB a second
_BUFFER = 4_096
_MOST_PING, _MOST_MIB = 2.0, 8.0


def slow(*, quick: bool) -> Iterator[Row]:
    """Others' pings beside each, and what the daemon holds at most."""
    seconds = 3.0 if quick else 20.0
    with daemon("gzip") as served:
        run(fetch, served.port, LARGEST)  # its text is there from now on
        with pinging(served) as calm:
            time.sleep(seconds)
        for name, rate in (("at 10 KB/s", _READ), ("never", 0)):
            base = reset_peak(served.pid)
            with pinging(served) as found:
                run(partial(_half_deaf, served, rate, seconds))
            yield Row(
                what=f"result of 100 MiB, read {name}: p99 of others' pings (floor: nobody else)",
                unit="ms",
                ours=found[1],
                floor=calm[1],
                goal=Goal("at most", _MOST_PING, of_floor=True),
            )
            held = (peak(served.pid) - base) / MIB
            goal = Goal("at most", _MOST_MIB)
            yield Row(what=f"  read {name}: memory", unit="MiB", ours=held, goal=goal)


async def _half_deaf(served: Served, rate: int, seconds: float) -> None:
    """Asks for as many pieces as it may, and takes in so many bytes every _EACH_S, once it has its reference."""
    narrow = trio.Event()
    async with trio.open_nursery() as relaying:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        serve = partial(trio.serve_listeners, partial(_relay, served.port, rate, narrow), listeners)
        relaying.start_soon(serve)
        port = listeners[0].socket.getsockname()[1]
        with trio.move_on_after(seconds + 10):
            async with connect("127.0.0.1", port, Limits(max_bytes=64 * MIB)) as socket:
                await socket.send(encode(Hello(protocol=2, accepts=["payload_ref"])))
                await socket.receive()
                call = CallTool(request_id="r", name="bench_text", arguments={"size": LARGEST})
                await socket.send(encode(call))
                result = None
                while not isinstance(result, CallResult):
                    result = decode_daemon(await socket.receive()).message
                reference = reference_in(result)
                if reference is not None:
                    narrow.set()
                    for get in PayloadDownload("r", reference).due():
                        await socket.send(encode(get))
                await trio.sleep(seconds)
                relaying.cancel_scope.cancel(reason="that was long enough")
        relaying.cancel_scope.cancel(reason="that was too long")


async def _relay(port: int, rate: int, narrow: trio.Event, client: trio.SocketStream) -> None:
    """Between a client and the daemon; from `narrow` on the way back is that narrow."""
    inner = trio.socket.socket()
    inner.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, _BUFFER)
    await inner.connect(("127.0.0.1", port))
    daemon_side = trio.SocketStream(inner)
    async with daemon_side, client, trio.open_nursery() as ways:
        ways.start_soon(_forward, client, daemon_side)
        while data := await daemon_side.receive_some(_READ if narrow.is_set() else None):
            await client.send_all(data)
            if narrow.is_set():
                await trio.sleep(_EACH_S if rate else float("inf"))
        ways.cancel_scope.cancel(reason="the daemon has hung up")


async def _forward(source: trio.SocketStream, target: trio.SocketStream) -> None:
    async for data in source:
        await target.send_all(data)
