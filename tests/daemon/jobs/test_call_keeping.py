"""Each call that was accepted is noted once when it ends, with figures and without texts."""

import attrs
import pytest
import trio

from exai_trio.errors import StorageError
from exai_trio.storage.ended_calls import ForgottenCalls
from exai_trio.wire.messages import CallFailed, CallResult, CallTool, Cancel


async def ended(daemon):
    await daemon.jobs.keeping.flush_calls()
    return await daemon.jobs.keeping.store.since(0)


async def test_an_answer_is_noted_with_its_figures(house, autojump_clock):
    async with house() as daemon, daemon.connect() as (client, _):
        await client.nap(seconds=2.0)
        await client.hear_until(CallResult)
        await trio.sleep(0.1)
        (call,) = await ended(daemon)

    assert ("nap", "owner", "", "", 1) == (
        call.tool, call.principal, call.code, call.category, call.attempt,
    )  # fmt: skip
    assert 2000 <= call.duration_ms < 2100
    assert (None, None, None, 0) == (
        call.input_tokens, call.cost, call.first_chunk_ms, call.requests,
    )  # fmt: skip


async def test_every_way_of_ending_is_noted_once(house, autojump_clock):
    """A failure has its code and category, and so has a cancelled call; a refused one was never accepted."""
    async with house() as daemon, daemon.connect() as (client, _):
        await client.say(CallTool(request_id="r0", name="no_such_tool"))
        await client.hear_until(CallFailed)
        await client.say(
            CallTool(request_id="r1", name="nap", arguments={"seconds": 9.0}, timeout_s=1.0)
        )
        await client.hear_until(CallFailed)
        await client.say(CallTool(request_id="r2", name="nap", arguments={"seconds": 9.0}))
        await trio.sleep(0.5)
        await client.say(Cancel(request_id="r2"))
        await client.hear_until(CallFailed)
        await trio.sleep(0.1)
        calls = await ended(daemon)

    assert [("TIMEOUT", "timeout"), ("CANCELLED", "client")] == [
        (call.code, call.category) for call in calls
    ]


@attrs.define
class BrokenStore:
    """Takes nothing the first time."""

    kept: ForgottenCalls = attrs.field(factory=ForgottenCalls)
    broken: bool = True

    async def add(self, calls):
        if self.broken:
            raise StorageError("full")
        await self.kept.add(calls)


async def test_a_store_that_refuses_costs_no_call(house, autojump_clock):
    """What could not be written is written once it can be, in order; calls do not wait for it."""
    async with house() as daemon:
        keeping = attrs.evolve(daemon.jobs.keeping, store=BrokenStore(), waiting=[])
        for number in range(3):
            keeping.note(number)
        with pytest.raises(StorageError):
            await keeping.flush_calls()
        keeping.store.broken = False
        keeping.note(3)
        await keeping.flush_calls()

    assert [0, 1, 2, 3] == keeping.store.kept._kept
    assert [] == keeping.waiting


@attrs.define
class BusyStore:
    """While it writes, the next call ends."""

    keeping: object = None
    writes: list = attrs.field(factory=list)

    async def add(self, calls):
        self.writes.append(list(calls))
        if len(self.writes) < 5:
            self.keeping.note("meanwhile")


async def test_what_ends_while_calls_are_written_waits_for_the_next_second(house, autojump_clock):
    """Under load there would be no end of writes, of a row or two each."""
    async with house() as daemon:
        store = BusyStore()
        keeping = store.keeping = attrs.evolve(daemon.jobs.keeping, store=store, waiting=[])
        for _ in range(2_001):
            keeping.note("before")
        await keeping.flush_calls()

    assert [2_000, 2] == [len(calls) for calls in store.writes]
    assert ["meanwhile"] == keeping.waiting
