"""How promptly the daemon answers a ping while models stream: on the very connection that gets all the chunks."""

from collections.abc import Iterator
from itertools import count

import attrs
import trio
from trio_websocket import WebSocketConnection

from .pairs import our_daemon
from .peer import Said, connection, greet, hear, run, say
from .processes import NotMeasured
from .report import Goal, Row, median, percentile

STREAMS = 24
_PING_EVERY_S = 0.02
_PROMPT = "Say something. [[simulate: tokens=400 drip=0.01]]"
_ROOM = {
    "EXAI_SIMULATE": "true",
    "EXAI_WS_GLM_MAX_INFLIGHT": STREAMS,
    "EXAI_WS_SESSION_MAX_INFLIGHT": STREAMS,
    "EXAI_WS_GLOBAL_MAX_INFLIGHT": STREAMS,
}


def ping(*, quick: bool) -> Iterator[Row]:
    """Pings at a steady pace while 24 calls stream; a call that ends is followed by the next at once."""
    listening = Listening(pings=50 if quick else 500)
    with our_daemon(**_ROOM) as daemon:
        run(_measure, daemon.port, listening)
    waits = listening.waits
    yield Row(
        what=f"daemon: ping while {STREAMS} model calls stream, p99",
        unit="ms",
        ours=percentile(waits, 99) * 1000,
        goal=Goal("at most", 20),
    )
    yield Row(what="  the same, p50", unit="ms", ours=median(waits) * 1000)
    yield Row(what="  chunks meanwhile", unit="/s", ours=listening.chunk_rate)


@attrs.define
class Listening:
    """What one client hears. `waits` are the seconds of each ping that was answered."""

    pings: int
    all_answered: trio.Event = attrs.field(factory=trio.Event)
    waits: list[float] = attrs.field(factory=list[float])
    sent: dict[str, float] = attrs.field(factory=dict[str, float])
    streaming: set[str] = attrs.field(factory=set[str])
    all_stream: trio.Event = attrs.field(factory=trio.Event)
    chunks: int = 0
    chunk_rate: float = 0.0
    _ids: Iterator[int] = attrs.field(factory=count)

    def next_id(self) -> str:
        return f"r{next(self._ids)}"

    def take(self, said: Said, now: float) -> bool:
        """Note a frame. True if it ends a call. Raises NotMeasured if a call failed."""
        match said.op:
            case "pong":
                self.waits.append(now - self.sent.pop(said.request_id))
                if len(self.waits) == self.pings:
                    self.all_answered.set()
            case "stream_chunk":
                self.chunks += 1
                self.streaming.add(said.request_id)
                if len(self.streaming) == STREAMS:
                    self.all_stream.set()
            case "call_tool_res" if said.ok:
                return True
            case "call_tool_res" | "error":
                raise NotMeasured(f"a call failed: {bytes(said.error).decode()}")
            case _:
                pass
        return False


async def _measure(port: int, listening: Listening) -> None:
    async with connection(port) as socket:
        await greet(socket)
        async with trio.open_nursery() as legs:
            legs.start_soon(_listen, socket, listening)
            for _ in range(STREAMS):
                await _ask(socket, listening)
            with trio.fail_after(60):
                await listening.all_stream.wait()
            await _ping(socket, listening)
            legs.cancel_scope.cancel()


async def _listen(socket: WebSocketConnection, listening: Listening) -> None:
    while True:
        said = await hear(socket)
        if listening.take(said, trio.current_time()):
            await _ask(socket, listening)
            await say(socket, "ack", seq=said.seq)


async def _ask(socket: WebSocketConnection, listening: Listening) -> None:
    arguments = {
        "prompt": _PROMPT,
        "model": "glm-4.5-flash",
        "use_websearch": False,
        "stream": True,
    }
    call = {"name": "chat", "arguments": arguments, "stream": True}
    await say(socket, "call_tool", request_id=listening.next_id(), **call)


async def _ping(socket: WebSocketConnection, listening: Listening) -> None:
    """All pings, sent at their times whether or not the one before was answered."""
    chunks, began = listening.chunks, trio.current_time()
    for number in range(listening.pings):
        await trio.sleep_until(began + number * _PING_EVERY_S)
        ping_id = listening.next_id()
        listening.sent[ping_id] = trio.current_time()
        await say(socket, "ping", request_id=ping_id)
    with trio.fail_after(30):
        await listening.all_answered.wait()
    listening.chunk_rate = (listening.chunks - chunks) / (trio.current_time() - began)
