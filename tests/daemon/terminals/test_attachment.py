"""Clients that are attached: what many floods leave to whoever else waits."""

import attrs
import trio

from exai_trio.config import Config
from exai_trio.daemon.connections.auth import Identity
from exai_trio.daemon.terminals.attachment import Attachment
from exai_trio.daemon.terminals.terminal_counters import TerminalCounters
from exai_trio.terminal.keeper import keeper_frames

FLOODS = 10
OUTPUT = keeper_frames.OUTPUT, bytes(8) + b"x" * 65_536


@attrs.define
class Flood:
    """A keeper that always has more, and a client that takes all of it."""

    sent: list

    async def receive(self):
        await trio.lowlevel.checkpoint()
        return [OUTPUT]

    async def send(self, *frames):
        self.sent.append(frames)

    async def relay(self, take):
        await trio.sleep_forever()

    async def answers_ping(self, within_s):
        return True


async def test_beside_many_floods_who_waits_waits_for_one(autojump_clock):
    """Between two turns of another task about one of them is handed on, not each of them."""
    sent, floods, leaving = [], trio.Lock(), trio.Event()
    identity = Identity(principal="token")
    async with trio.open_nursery() as attached:
        for _ in range(FLOODS):
            end = Flood(sent)
            one = Attachment(socket=end, keeper=end, session_id="s", config=Config(), identity=identity, counters=TerminalCounters(), leaving=leaving, floods=floods)  # fmt: skip
            attached.start_soon(one.converse, trio.current_time)
        for _ in range(20):
            await trio.lowlevel.checkpoint()
        before = len(sent)
        for _ in range(200):
            await trio.lowlevel.checkpoint()
        attached.cancel_scope.cancel()

    assert 50 <= len(sent) - before <= 300
