"""The orderly end, and the end at any step."""

import pytest
import trio
from journal_in_memory import MemoryJournal
from lives import FullDisk

from exai_trio.daemon.control.drain import drain
from exai_trio.transport.websocket import PeerGone
from exai_trio.wire.messages import Bye, CallAccepted, CallFailed, CallResult


async def test_calls_finish_during_the_drain_then_the_connection_closes_with_1012(
    house, autojump_clock
):
    """bye, the running call's result, no new calls, then service restart."""
    async with house() as daemon, daemon.connect() as (client, _):
        await client.nap("old", seconds=3.0)
        await client.hear()
        daemon.connections.start_soon(drain, daemon.sessions, daemon.connections)
        bye = await client.hear()
        await client.nap("new")
        refused = await client.hear()
        finished = await client.hear_until(CallResult)
        with pytest.raises(PeerGone) as gone:
            await client.hear()

    assert Bye(reason="draining", retry_after_s=1.0) == bye
    assert ("new", "SERVICE_UNAVAILABLE") == (refused.request_id, refused.error.code)
    assert refused.error.retry_after_s
    assert "old" == finished.request_id
    assert 1012 == gone.value.code


async def test_a_call_that_outlasts_the_drain_is_interrupted_within_the_limit(
    house, autojump_clock
):
    """Without a journal its outcome says INTERRUPTED, and all is over before EXAI_DRAIN_S."""
    async with house(durability="off") as daemon, daemon.connect() as (client, _):
        await client.nap(seconds=60.0)
        await client.hear()
        started = trio.current_time()
        daemon.connections.start_soon(drain, daemon.sessions, daemon.connections)
        outcome = await client.hear_until(CallFailed)
        with pytest.raises(PeerGone):
            await client.hear()
        took = trio.current_time() - started

    assert "INTERRUPTED" == outcome.error.code
    assert took < 8
    assert 24 == daemon.free_permits


async def test_the_store_too_is_told_when_the_time_is_over(house, autojump_clock):
    """What it does not have on disk by then is left, so that a lock of another process holds nobody up."""

    class Told(list):
        fault, is_full = None, False

        def flush_by(self, deadline):
            self.append(deadline)

    store = Told()
    async with house(drain_s=3.0) as daemon:
        start = trio.current_time()
        await drain(daemon.sessions, daemon.connections, store)

    assert [start + 3.0] == store


@pytest.mark.parametrize(("drain_s", "close_s"), [(8.0, 1.0), (2.0, 1.0), (8.0, 5.0), (0.4, 1.0), (0.0, 1.0)])  # fmt: skip
async def test_the_drain_keeps_to_its_time_whatever_closing_may_take(
    house, autojump_clock, drain_s, close_s
):
    """Also when a disk takes an outcome for ever: then the connections are cut, and half of the time was the calls'."""

    class Stuck(MemoryJournal):
        async def finish(self, session, request, outcome):
            await trio.sleep_forever()

    async with house(Stuck(), drain_s=drain_s, ws_close_timeout=close_s) as daemon, daemon.connect() as (client, _):  # fmt: skip
        await client.nap(seconds=0.1)
        await client.hear_until(CallAccepted)
        start = trio.current_time()
        await drain(daemon.sessions, daemon.connections)
        took = trio.current_time() - start
        cut_after = daemon.connections.cancel_scope.deadline - start

    assert drain_s / 2 <= took <= cut_after <= drain_s + 1e-6


@pytest.mark.parametrize(("drain_s", "close_s"), [(8.0, 1.0), (30.0, 5.0), (30.0, 1.0)])
async def test_the_drain_gives_the_calls_all_but_what_the_connections_may_need(
    house, autojump_clock, drain_s, close_s
):
    """Clients that do not read have the rest: then their connections are cut."""
    async with house(durability="off", drain_s=drain_s, ws_close_timeout=close_s) as daemon, daemon.connect() as (client, _):  # fmt: skip
        await client.nap(seconds=55.0)
        await client.hear_until(CallAccepted)
        start = trio.current_time()
        daemon.connections.start_soon(drain, daemon.sessions, daemon.connections)
        await client.hear_until(CallFailed)
        calls_had = trio.current_time() - start
        await trio.testing.wait_all_tasks_blocked()
        cut_after = daemon.connections.cancel_scope.deadline - start

    assert drain_s - close_s - 1.25 < calls_had <= drain_s - close_s
    assert close_s <= cut_after - calls_had
    assert cut_after <= drain_s


async def test_cancelled_at_any_step_nothing_stays_behind(
    house, cancel_at_every_step, autojump_clock
):
    """Wherever the daemon is cut, every permit, session, connection and running call is given back."""
    houses = []

    async def conversation():
        async with house() as daemon:
            houses.append(daemon)
            try:
                async with daemon.connect(session_id="win") as (client, _):
                    await client.nap("a", seconds=1.0, stages=["thinking"])
                    await client.nap("b", seconds=5.0, timeout_s=0.5)
                    await client.hear_until(CallFailed)
                    await client.hear_until(CallResult)
            except PeerGone:
                pass

    def nothing_left():
        if not houses:  # cut while the daemon was built
            return
        daemon = houses.pop()
        figures = daemon.counted
        left = (
            figures.sessions,
            figures.connections,
            figures.running,
            daemon.server.admission.total,
        )
        assert (0, 0, 0, 0) == left
        assert 24 == daemon.free_permits
        naps = daemon.naps
        assert naps.started == naps.finished + naps.cancelled

    steps = await cancel_at_every_step(conversation, nothing_left)

    assert steps > 50


async def test_a_drain_waits_for_what_is_late(house, autojump_clock):
    """The client has its outcome, and the disk takes it again: the next daemon finds it there, and runs nothing."""
    journal = FullDisk()
    async with house(journal, drain_s=10.0) as daemon:
        async with daemon.connect(session_id="win") as (client, _):
            await client.nap(seconds=1.0)
            await client.hear_until(CallAccepted)
            journal.full = True
            await client.hear_until(CallResult)
            await trio.sleep(0.5)
            journal.full = False
            await drain(daemon.sessions, daemon.connections)
        unfinished = await journal.unfinished()

    assert () == unfinished
