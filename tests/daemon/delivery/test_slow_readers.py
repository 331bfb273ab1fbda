"""Clients that do not read cost bounded memory, then their connection; their outcomes wait in the journal."""

import pytest
import trio
from trio.testing import lockstep_stream_pair

from exai_trio.config import Config
from exai_trio.daemon.delivery.outbox import Outbox
from exai_trio.daemon.sessions.memory_budget import SHARE_BYTES, MemoryBudget, Weight
from exai_trio.errors import OverCapacityError
from exai_trio.transport.websocket import PeerGone
from exai_trio.wire.messages import (
    Ack,
    Bye,
    CallAccepted,
    CallFailed,
    CallResult,
    CallTool,
    Cancel,
    Ping,
    Pong,
)

LARGE = "x" * 300_000


def echo(request_id, prompt=LARGE):
    return CallTool(request_id=request_id, name="test_echo", arguments={"prompt": prompt})


@pytest.mark.parametrize(
    ("weights", "gone"),
    [
        ([("a", 50, True), ("b", 40, False)], []),
        ([("a", 50, True), ("b", 60, True)], ["b"]),
        ([("a", 90, False), ("b", 60, True), ("c", 55, True)], ["b"]),
        ([("a", 150, False), ("b", 45, False), ("c", 10, True)], ["c", "a"]),
        ([(name, 30, True) for name in "abcdef"], list("abcd")),
    ],
)
def test_the_heaviest_of_those_that_do_not_read_go_first(weights, gone):
    """Idle ones hold 100 at most, all together 200; who goes makes room down to three quarters."""
    budget = MemoryBudget(200, idle=100)

    assert gone == budget.look([Weight(*one) for one in weights])


def test_when_memory_is_short_only_what_is_large_is_refused():
    """A client that holds little may go on; a large request, or one of a client that holds much, waits."""
    short = MemoryBudget(10 * SHARE_BYTES, held=10 * SHARE_BYTES)

    short.check(1000, lambda: 1000)
    MemoryBudget(10 * SHARE_BYTES).check(SHARE_BYTES, lambda: SHARE_BYTES)
    for held, size in ((1000, SHARE_BYTES), (SHARE_BYTES, 1000)):
        with pytest.raises(OverCapacityError):
            short.check(size, lambda held=held: held)


@pytest.mark.parametrize(("calls", "most"), [(24, 24 * 10_000_000), (2, 128 * 2**20)])
def test_all_calls_that_may_run_at_once_find_room(calls, most):
    """As much as they may bring, and never less than 128 MiB."""
    config = Config(ws_global_max_inflight=calls, tool_call_max_size=10_000_000)

    assert most == MemoryBudget.of(config).most


async def test_a_client_that_takes_its_time_is_not_idle_yet(house, autojump_clock):
    """Only one that has had the same frames in hand for a second is cut off."""
    async with house() as daemon, daemon.connect(session_id="win"):
        daemon.sessions.budget.idle = 100_000
        box = Outbox()
        daemon.sessions.table["win"].attach(box, protocol=2, last_seq=0)
        box.put(LARGE)
        await box.take()
        await trio.sleep(0.7)
        soon = box.farewell
        await trio.sleep(0.7)
        later = box.farewell

    assert soon is None
    assert later is not None


async def test_an_expelled_box_gives_its_last_words_and_nothing_after(autojump_clock):
    """A client would take a number that was left out for received."""
    outbox = Outbox()
    outbox.put("waits")

    assert outbox.expel(1.0)
    assert not outbox.expel(1.0)
    outbox.put("late")
    outbox.offer("later")
    assert ["slow_reader" in frame for frame in await outbox.take()] == [True]
    assert [] == await outbox.take()


async def test_a_session_weighs_what_waits_for_its_client_and_what_its_calls_brought(
    house, autojump_clock
):
    """Both count for the budget, as long as they are there."""
    async with house() as daemon, daemon.connect(session_id="win") as (client, _):
        session = daemon.sessions.table["win"]
        await client.nap(seconds=5.0, fault=LARGE)
        await client.hear_until(CallAccepted)
        held = [session.held_bytes]
        session.outbox.put(LARGE)
        held.append(session.held_bytes)
        session.outbox.expel(9.0)
        await trio.sleep(6)
        held.append(session.held_bytes)

    weights = [round(one / len(LARGE)) for one in held]
    assert [1, 2, 0] == weights


async def test_a_client_that_reads_nothing_is_cut_off_and_loses_nothing(house, autojump_clock):
    """Within seconds; its session leaves the memory, a neighbour does not notice, and all comes when it is back, once."""
    async with house(ws_ping_timeout=60.0) as daemon:
        daemon.sessions.budget.idle = 1_000_000
        asked = [f"r{number}" for number in range(8)]
        async with daemon.connect() as (other, _):
            async with daemon.connect(lockstep_stream_pair, session_id="deaf") as (deaf, _):
                await deaf.say(*map(echo, asked))
                await trio.sleep(0.1)
                await _fill(deaf)
                start = trio.current_time()
                while "deaf" in daemon.sessions.table:
                    await trio.sleep(0.05)
                    await other.say(Ping())
                    assert isinstance(await other.hear(), Pong)
                took = trio.current_time() - start
            await trio.sleep(0.3)
            held = daemon.sessions.budget.held
            async with daemon.connect(session_id="deaf", last_seq=0) as (back, ack):
                heard = [await back.hear() for _ in range(16)]
                await back.say(Ping())
                after = await back.hear()

    assert took < 5
    assert held < 1_000_000
    assert ack.resumed
    assert asked == sorted(m.request_id for m in heard if isinstance(m, CallResult))
    assert isinstance(after, Pong)


async def _fill(deaf):
    """More than its own queue takes."""
    for number in range(40):
        with trio.move_on_after(0.01):
            await deaf.say(Ping(request_id=number))


class SlowLine(trio.abc.Stream):
    """What the client reads comes in pieces of 64 KiB, one in 0.65 s."""

    def __init__(self, stream):
        self.stream = stream

    async def send_all(self, data):
        await self.stream.send_all(data)

    async def wait_send_all_might_not_block(self):
        await self.stream.wait_send_all_might_not_block()

    async def receive_some(self, _max_bytes=None):
        await trio.sleep(0.65)
        return await self.stream.receive_some(65_536)

    async def aclose(self):
        await self.stream.aclose()


def slow_line():
    ours, theirs = lockstep_stream_pair()
    return SlowLine(ours), theirs


LARGER = "y" * 6_000_000


@pytest.mark.parametrize("said", [Ping(request_id="p"), echo("c", "hello")])
async def test_a_slow_client_that_asks_something_meanwhile_is_not_taken_for_dead(
    house, said, autojump_clock
):
    """While more waits for it than it may have waiting it is not read, and no pong of it is heard; but it does read."""
    patience = {"ws_ping_interval": 5.0, "ws_ping_timeout": 10.0}
    async with house(**patience) as daemon, daemon.connect(slow_line) as (client, _):
        await client.say(echo("a", LARGER))
        await trio.sleep(3)
        await client.say(echo("b", LARGER))
        await trio.sleep(8)
        await client.say(said)
        heard = [await client.hear_until(CallResult) for _ in range(2)]

    assert ["a", "b"] == [result.request_id for result in heard]


async def test_a_client_may_cancel_though_it_has_much_to_read(house, autojump_clock):
    """What it acknowledges before does not keep its cancel waiting until it has read."""
    async with house() as daemon, daemon.connect(slow_line) as (client, _):
        await client.nap("long", seconds=60.0)
        await client.say(echo("a", LARGER))
        await trio.sleep(1)
        await client.say(echo("b", LARGER))
        await trio.sleep(1)
        await client.say(Ack(seq=1))
        await client.say(Cancel(request_id="long"))
        await trio.sleep(1)
        cancelled = daemon.naps.cancelled

    assert 1 == cancelled


async def test_what_a_client_that_is_away_has_missed_leaves_the_memory(house, autojump_clock):
    """Long before its grace is over; it is there again when the client is."""
    async with house() as daemon:
        daemon.sessions.budget.idle = 1_000_000
        async with daemon.connect(session_id="win") as (client, _):
            await client.say(*(echo(f"r{number}") for number in range(4)))
            for _ in range(8):
                await client.hear()
        await trio.sleep(1)
        away = set(daemon.sessions.table)
        async with daemon.connect(session_id="win", last_seq=0) as (client, ack):
            heard = [await client.hear() for _ in range(8)]

    assert set() == away
    assert ack.resumed
    assert 4 == sum(isinstance(message, CallResult) for message in heard)


async def test_a_running_call_keeps_its_session(house, autojump_clock):
    """It is not thrown away for memory: the session ends once its outcome is kept."""
    async with house() as daemon:
        daemon.sessions.budget.idle = 1_000_000
        async with daemon.connect(session_id="win") as (client, _):
            await client.say(*(echo(f"r{number}") for number in range(4)))
            await client.nap("long", seconds=30.0)
            await client.hear_until(CallResult)
        await trio.sleep(29)
        running = set(daemon.sessions.table)
        await trio.sleep(2)
        ended = set(daemon.sessions.table)
        async with daemon.connect(session_id="win") as (client, _):
            await client.nap("long", seconds=30.0)
            heard = [await client.hear() for _ in range(10)]

    assert ({"win"}, set()) == (running, ended)
    assert (1, 0) == (daemon.naps.started, daemon.naps.cancelled)
    assert "long" in {message.request_id for message in heard if isinstance(message, CallResult)}


async def test_a_client_that_reads_and_never_acknowledges_is_told_goodbye(house, autojump_clock):
    """Refusals have numbers too; their number is bounded."""
    async with house() as daemon, daemon.connect(session_id="win") as (client, _):
        rules = daemon.sessions.table["win"].rules
        rules.bounds = type(rules.bounds)(unacked_frames=20)
        await client.say(*(CallTool(request_id=n, name="no_such_tool") for n in range(50)))
        heard = [await client.hear() for _ in range(51)]
        with pytest.raises(PeerGone) as gone:
            await client.hear()

    assert [CallFailed] * 50 + [Bye] == [type(message) for message in heard]
    assert ("slow_reader", 1013) == (heard[-1].reason, gone.value.code)


async def test_large_requests_wait_while_memory_is_short(house, autojump_clock):
    """They are told when to try again; small ones of others pass."""
    async with house() as daemon, daemon.connect() as (client, _):
        daemon.sessions.budget.most = 100_000
        await trio.sleep(1)
        await client.say(echo("large"))
        refused = await client.hear()
        await client.say(echo("small", "x"))
        accepted = await client.hear()

    assert isinstance(refused, CallFailed)
    assert ("OVER_CAPACITY", 1.0, "memory") == (refused.error.code, refused.error.retry_after_s, refused.error.details["limit"])  # fmt: skip
    assert isinstance(accepted, CallAccepted)


class CountsLooks(MemoryBudget):
    """A budget that knows how often it was asked."""

    looks = 0

    def look(self, weights):
        self.looks += 1
        return super().look(weights)


async def test_memory_is_looked_at_when_something_changes_and_not_else(house, autojump_clock):
    """A daemon with idle clients sleeps."""
    async with house() as daemon, daemon.connect(session_id="win") as (client, _):
        budget = daemon.sessions.budget = CountsLooks(2**20)
        await trio.sleep(60)
        idle = budget.looks
        await client.say(echo("r1"))
        await client.hear_until(CallResult)
        await trio.sleep(60)

    assert idle <= 2
    assert 1 <= budget.looks - idle <= 8


async def test_a_session_that_is_shed_in_the_step_in_which_its_client_leaves_goes_at_once(
    house, autojump_clock
):
    """Not after the grace for clients that come back."""
    async with house() as daemon, daemon.connect(session_id="win") as (client, _):
        await client.say(echo("r1"))
        await client.hear_until(CallResult)
        session = daemon.sessions.table["win"]
        session.detach(session.outbox)
        was_shed = session.shed()
        await trio.sleep(1)
        left = dict(daemon.sessions.table)

    assert was_shed
    assert {} == left
