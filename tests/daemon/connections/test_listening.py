"""At what pace connections are taken from a listener."""

import attrs
import pytest
import trio
from trio.testing import memory_stream_pair

from exai_trio.daemon.connections.listening import TURNS_BETWEEN, PacedListener

WAITING = 50


@attrs.define(eq=False)
class Flood(trio.abc.Listener):
    """So many clients wait to be taken; no other comes."""

    waiting: int = 0
    taken: int = 0

    async def accept(self):
        await trio.lowlevel.checkpoint()
        if self.taken == self.waiting:
            await trio.sleep_forever()
        self.taken += 1
        return memory_stream_pair()[1]

    async def aclose(self):
        await trio.lowlevel.checkpoint()


async def _serve(daemon, listener, listening):
    await listening.start(daemon.server.listen, [listener], daemon.connections)


async def test_others_have_turns_between_two_connections(house, autojump_clock):
    """However many clients come at once: all of them are taken, and everybody else has three turns of the loop for each."""
    flood, turns = Flood(WAITING), 0
    async with house() as daemon, trio.open_nursery() as listening:
        await _serve(daemon, flood, listening)
        while flood.taken < WAITING:
            await trio.lowlevel.checkpoint()
            turns += 1
        listening.cancel_scope.cancel()

    assert turns >= 3 * (WAITING - 2)


@pytest.mark.parametrize("turns", range(TURNS_BETWEEN + 2))
async def test_cancelled_at_any_turn_it_loses_no_connection(turns):
    """What was taken from the listener is returned, also if the end comes then."""
    flood = Flood(1)
    paced, streams = PacedListener(flood), []

    async def accept():
        streams.append(await paced.accept())

    async with trio.open_nursery() as accepting:
        accepting.start_soon(accept)
        for _ in range(turns):
            await trio.lowlevel.checkpoint()
        accepting.cancel_scope.cancel()

    assert flood.taken == len(streams)
