"""Clients that are attached: what many floods leave to whoever else waits."""

from contextlib import asynccontextmanager

import attrs
import pytest
import trio

from exai_trio.config import Config
from exai_trio.daemon.connections.auth import Identity
from exai_trio.daemon.terminals.attachment import Attachment
from exai_trio.daemon.terminals.flood_pace import BESIDE_OTHERS, FloodPace
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


@asynccontextmanager
async def attached_floods(pace, count):
    """What so many floods send, while the context lasts."""
    sent, leaving, identity = [], trio.Event(), Identity(principal="token")
    async with trio.open_nursery() as attached:
        for number in range(count):
            end = Flood(sent)
            one = Attachment(socket=end, keeper=end, session_id=f"s{number}", config=Config(), identity=identity, counters=TerminalCounters(), leaving=leaving, pace=pace)  # fmt: skip
            attached.start_soon(one.converse, trio.current_time)
        yield sent
        attached.cancel_scope.cancel()


async def test_many_floods_have_together_what_one_may_have_beside_others(autojump_clock):
    async with attached_floods(FloodPace(), FLOODS) as sent:
        await trio.sleep(10)

        assert len(sent) == pytest.approx(10 * BESIDE_OTHERS / 65_536, rel=0.02)


@pytest.mark.parametrize("work", [lambda pace: pace.note_call(None), lambda pace: pace.note_key("s9")])  # fmt: skip
async def test_a_flood_is_slow_beside_a_call_or_another_sessions_keys(autojump_clock, work):
    pace = FloodPace()
    work(pace)
    async with attached_floods(pace, 1) as sent:
        await trio.sleep(0.9)

        assert len(sent) == pytest.approx(0.9 * BESIDE_OTHERS / 65_536, rel=0.02)


async def test_a_flood_that_is_alone_or_has_its_own_keys_only_does_not_wait(autojump_clock):
    pace = FloodPace()
    pace.note_key("s0")
    async with attached_floods(pace, 1) as sent:
        began = trio.current_time()
        while len(sent) < 1000:
            await trio.lowlevel.checkpoint()

        assert trio.current_time() == began
