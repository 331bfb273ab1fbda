"""A client of its own asks for a pong while its call runs: the reader must be free."""

from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from exai_trio.transport.websocket import PeerGone, Unreachable
from exai_trio.wire.codec import decode_daemon, encode
from exai_trio.wire.messages import CallTool, Hello, HelloAck, Ping, Pong

if TYPE_CHECKING:
    from .story import Universe

PONG_S = 8.0
HELLO_S = 60.0  # a session is looked for in the journal first: longer than a disk stalls


async def probe(universe: "Universe") -> None:
    """A client of its own asks for a pong while its call runs: the reader must be free."""
    while True:
        await trio.sleep(universe.draw.expovariate(1 / 600.0))
        life, began = universe.house.life, trio.current_time()
        with suppress(PeerGone, Unreachable, trio.BrokenResourceError):
            if await _ask_pong(universe, f"probe{universe.draw.randrange(10**9)}"):
                continue
            parted = universe.network.parted_until > began
            if life is universe.house.life and life is not None and not parted:
                universe.oracle.fail("a ping was not answered while a call ran")


async def _ask_pong(universe: "Universe", session: str) -> bool:
    call = CallTool(request_id=1, name="work", arguments={"seconds": 30.0})
    async with universe.network.dial_fair() as socket:
        await socket.send(encode(Hello(protocol=2, session_id=session)), encode(call))
        with trio.move_on_after(HELLO_S) as patience:
            await socket.send(encode(Ping(request_id="p")))
            while not isinstance(heard := decode_daemon(await socket.receive()).message, Pong):
                if isinstance(heard, HelloAck):
                    patience.deadline = trio.current_time() + PONG_S
            return True
    return False
