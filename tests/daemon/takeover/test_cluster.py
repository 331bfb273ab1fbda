"""Daemons over one store in memory: they die, are cut off and come back, and each call has one answer."""

import random
import sys
from contextlib import suppress
from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import memory_stream_pair

sys.path.insert(0, str(Path(__file__).parents[2] / "storage"))

from breakers_in_memory import MemoryBreakers
from shared_in_memory import MemoryShared, SharedTables

from exai_trio.daemon.takeover.cluster.cluster import Cluster
from exai_trio.daemon.takeover.cluster.lease import LEASE_S, RENEW_S, SURE_S, Lease
from exai_trio.daemon.takeover.cluster.membership import open_membership
from exai_trio.errors import ServiceUnavailableError
from exai_trio.storage.shared.shared_calls import DaemonFacts
from exai_trio.storage.shared.shared_permits import Dealt
from exai_trio.tools.base import Answer, Tool
from exai_trio.transport.websocket import PeerGone
from exai_trio.wire.handles import handle_of
from exai_trio.wire.messages import (
    Bye,
    CallAccepted,
    CallFailed,
    CallResult,
    CallTool,
    Cancel,
    Progress,
    StreamChunk,
)

OUTCOMES = (CallResult, CallFailed)


@attrs.frozen
class Nothing:
    """No arguments."""


def whereabouts(name):
    """A tool that tells, after some seconds, on which machine it ran."""

    async def run(_arguments, _caller, _services):
        await trio.sleep(8.0)
        return Answer(text=name)

    return Tool(name="where", description="Where.", arguments=Nothing, run=run, repeatable=True)


def talkative(name):
    """A tool that tells ten times a second what it does, and on which machine."""

    async def run(_arguments, caller, _services):
        for step in range(100):
            caller.stage(f"step {step}", name)
            caller.chunk(f"{step} ")
            await trio.sleep(0.1)
        return Answer(text=name)

    return Tool(name="talk", description="Talk.", arguments=Nothing, run=run, repeatable=True)


class NoPermits:
    """No provider has any."""

    async def share(self, _daemon, _asked):
        await trio.lowlevel.checkpoint()
        return Dealt(lanes={}, turn=0)


@attrs.define
class Machine:
    """A daemon and its way to the store; `die` is what a power cut does to it."""

    house: object
    shared: MemoryShared
    cluster: Cluster
    scope: trio.CancelScope

    def die(self):
        self.shared.is_away = True
        self.scope.cancel()

    @property
    def naps(self):
        return self.house.naps

    def connect(self, session_id="win", last_seq=0, **hello):
        hello |= {"session_id": session_id, "last_seq": last_seq}
        return self.house.connect(memory_stream_pair, **hello)


@attrs.define
class Machines:
    """All of them, over one database."""

    house: object
    nursery: trio.Nursery
    tables: SharedTables = attrs.field(factory=SharedTables)

    async def start(self, name, **settings):
        return await self.nursery.start(self._run, name, settings)

    async def _run(self, name, settings, task_status):
        boot = f"{name}-{random.random()}"  # noqa: S311  # no secret
        facts = DaemonFacts(executor=name, name=name, boot_id=boot, address="", version="")
        shared = MemoryShared(self.tables, facts)
        with trio.CancelScope() as scope:
            async with open_membership(facts, shared) as membership:
                cluster = Cluster.of(membership, NoPermits(), MemoryBreakers(LEASE_S))
                given = {"cluster": cluster}
                opening = self.house(
                    shared.journal_of("", 0),
                    backends=given,
                    tools=[whereabouts(name), talkative(name)],
                    storage_backend="postgres",
                    **settings,
                )
                async with opening as house:
                    task_status.started(Machine(house, shared, cluster, scope))
                    await trio.sleep_forever()


@pytest.fixture
async def machines(house):
    """`await machines.start("one")`"""
    async with trio.open_nursery() as nursery:
        yield Machines(house, nursery)
        nursery.cancel_scope.cancel()


async def accepted(client, request_id="r1", **arguments):
    await client.nap(request_id, **arguments)
    return await client.hear_until(CallAccepted)


async def outcomes(client, seconds):
    """What comes in that time, by request."""
    heard = []
    with trio.move_on_after(seconds):
        while True:
            try:
                heard.append((await client.hear_until(OUTCOMES)).request_id)
            except PeerGone:
                break
    return heard


async def answered_once(client):
    """The answer, which comes within a minute, and what comes in another."""
    with trio.fail_after(60):
        answer = await client.hear_until(OUTCOMES)
    return answer, await outcomes(client, 60)


async def left_running(machine, seconds):
    """A call whose client has left after it was accepted. The number of the last frame that it heard."""
    async with machine.connect() as (client, _):
        await accepted(client, seconds=seconds)
        return client.last_seq


async def test_a_call_of_a_dead_machine_is_answered_once(machines, autojump_clock):
    """By whoever has its client, as soon as the lease has ended and no sooner, whatever wakes that one meanwhile."""
    one, two = await machines.start("one"), await machines.start("two")
    await trio.sleep(2 * LEASE_S + RENEW_S + 0.1)  # its lease ends between two looks
    last = await left_running(one, seconds=3.0)
    one.die()
    died = trio.current_time()
    async with two.connect(last_seq=last) as (client, ack):
        answer = await client.hear_until(OUTCOMES)
        took = trio.current_time() - died
        more = await outcomes(client, 60)

    told = {one["name"]: one["lease_s"] > 0 for one in two.house.report.storage()["daemons"]}

    assert {"one": False, "two": True} == told
    assert ack.resumed
    assert isinstance(answer, CallResult)
    assert LEASE_S - RENEW_S <= took - 3.0 <= LEASE_S + 0.1
    assert (1, 1, []) == (one.naps.started, two.naps.started, more)


async def test_a_client_that_moves_leaves_its_call_where_it_runs(machines, autojump_clock):
    """It is told "superseded" there, and hears the outcome here; also if no notification is ever heard."""
    for silent, most_s in ((False, 0.1), (True, 2.5)):
        machines.tables.is_silent = silent
        one, two = await machines.start(f"one {silent}"), await machines.start(f"two {silent}")
        async with one.connect(f"win{silent}") as (client, _):
            await accepted(client, seconds=10.0)
            begun = trio.current_time()
            async with two.connect(f"win{silent}", client.last_seq) as (there, ack):
                bye = await client.hear_until(Bye)
                await there.hear_until(OUTCOMES)
                took = trio.current_time() - begun
                more = await outcomes(there, 30)

        assert ack.resumed
        assert "superseded" == bye.reason
        assert 10 <= took <= 10 + most_s
        assert (1, 0, []) == (one.naps.finished, two.naps.started, more)


async def said_to(client):
    """What it hears of its call until the outcome, or for half a minute."""
    said = []
    with trio.move_on_after(30):
        while not isinstance(message := await client.hear(), OUTCOMES):
            if isinstance(message, Progress | StreamChunk):
                said.append(message)
    return said


async def test_a_client_hears_what_its_call_says_elsewhere(machines, autojump_clock):
    """A few times a second, until the outcome; nothing of it if notifications are lost, but for the outcome."""
    told = {}
    for silent in (False, True):
        machines.tables.is_silent = silent
        one, two = await machines.start(f"one {silent}"), await machines.start(f"two {silent}")
        async with one.connect(f"win{silent}") as (client, _):
            await client.say(CallTool(request_id="r1", name="talk", stream=True))
            await client.hear_until(CallAccepted)
            async with two.connect(f"win{silent}", client.last_seq) as (there, _):
                told[silent], after = await said_to(there), await said_to(there)
        assert [] == after

    progress = [one for one in told[False] if isinstance(one, Progress)]
    steps = [int(one.stage.removeprefix("step ")) for one in progress]
    chunks = [one.index for one in told[False] if isinstance(one, StreamChunk)]
    assert 15 <= len(steps) <= 25
    assert sorted(steps) == steps
    assert {"one False"} == {one.message for one in progress}
    assert sorted(set(chunks)) == chunks
    assert len(chunks) >= 90
    assert {"running"} >= {getattr(one, "stage", "a chunk") for one in told[True]}


async def test_a_hello_that_is_late_takes_no_client_from_where_it_came_since(
    machines, autojump_clock
):
    """Its daemon was frozen when it came; by the time that it is heard, its client has given up and is at another."""
    one, two = await machines.start("one"), await machines.start("two")
    async with two.connect(visit=1) as (client, _):
        await accepted(client, seconds=30.0)
        last = client.last_seq
    one.shared.takes_s = 5.0
    with trio.move_on_after(1.0):
        async with one.connect(last_seq=last, visit=2):
            pass
    async with two.connect(last_seq=last, visit=3) as (client, ack):
        with pytest.raises(trio.TooSlowError), trio.fail_after(10):
            await client.hear_until(Bye)
        answer = await client.hear_until(OUTCOMES)

    assert ack.resumed
    assert "r1" == answer.request_id


async def test_a_client_may_move_at_each_frame(machines, autojump_clock):
    """To and fro, whatever it has heard by then: each call runs once, and each outcome comes once."""
    one, two = await machines.start("one"), await machines.start("two")
    heard, last = [], 0
    for step in range(12):
        at = (one, two)[step % 2]
        async with at.connect(last_seq=last) as (client, _):
            await client.nap(f"r{step}", seconds=4.0)
            with trio.move_on_after(0.7 * step):
                for _ in range(step % 4 + 1):
                    message = await client.hear()
                    heard += [message.request_id] if isinstance(message, OUTCOMES) else []
            last = max(last, client.last_seq)
    async with two.connect(last_seq=last) as (client, _):
        heard += await outcomes(client, 60)

    assert sorted(f"r{step}" for step in range(12)) == sorted(heard)
    assert 12 == one.naps.started + two.naps.started


async def test_a_daemon_that_is_cut_off_does_no_harm(machines, autojump_clock):
    """What it has done counts for nothing; its client, which never left, hears what the other has stored."""
    one = await machines.start("one")
    await machines.start("two")
    await trio.sleep(2 * LEASE_S)
    async with one.connect() as (client, _):
        await client.say(CallTool(request_id="r1", name="where"))
        await client.hear_until(CallAccepted)
        one.shared.is_away = True
        bye = await client.hear_until(Bye)
        await trio.sleep(30)
        one.shared.is_away = False
        last = client.last_seq
    async with one.connect(last_seq=last) as (client, ack):
        answer = await client.hear_until(OUTCOMES)
        more = await outcomes(client, 30)

    assert "draining" == bye.reason
    assert ack.resumed
    assert ("two", []) == (answer.outputs[0].text, more)
    assert [2] == [row.call.attempts for row in machines.tables.calls.values()]


async def test_a_daemon_that_has_not_heard_that_it_is_superseded_tells_nothing(
    machines, autojump_clock
):
    """Its client moved just before the call ended, and comes back before it has looked: then it takes the session anew."""
    machines.tables.is_silent = True
    one, two = await machines.start("one"), await machines.start("two")
    await trio.sleep(0.1)
    async with one.connect() as (client, _):
        await accepted(client, seconds=1.0)
        async with two.connect(last_seq=client.last_seq) as (there, _):
            late = await outcomes(client, 1.5)
            told = await outcomes(there, 2)
            last = there.last_seq
    async with one.connect(last_seq=last):
        async with two.connect(last_seq=last):
            pass
        async with one.connect(last_seq=last) as (back, _):
            await accepted(back, "r2", seconds=0.1)
            answered = await outcomes(back, 5)

    assert ([], ["r1"], ["r2"]) == (late, told, answered)


async def test_a_call_of_a_client_that_is_elsewhere_is_sent_there(machines, autojump_clock):
    """A daemon that has not heard of it refuses nothing: the client asks again where it has its session."""
    machines.tables.is_silent = True
    one, two = await machines.start("one"), await machines.start("two")
    async with one.connect() as (client, _):
        await accepted(client, seconds=0.1)
        async with two.connect(last_seq=client.last_seq) as (there, _):
            await client.nap("r2", seconds=0.1)
            bye = await client.hear_until((Bye, *OUTCOMES, CallAccepted))
            while not isinstance(bye, Bye):
                assert "r1" == bye.request_id
                bye = await client.hear_until((Bye, *OUTCOMES, CallAccepted))
            await accepted(there, "r2", seconds=0.1)
            told = await outcomes(there, 5)

    assert "superseded" == bye.reason
    assert {"r1", "r2"} == {*told}


async def test_no_outcome_is_told_before_it_is_stored(machines, autojump_clock):
    """Another daemon might store another one; who cannot be sent away waits for the database."""
    one = await machines.start("one")
    async with one.connect(protocol=1) as (client, _):
        await accepted(client, seconds=1.0)
        one.shared.is_away = True
        early = await outcomes(client, 25)
        one.shared.is_away = False
        told = await outcomes(client, 10)

    assert ([], ["r1"]) == (early, told)


async def test_what_may_not_run_twice_ends_before_the_lease(machines, autojump_clock):
    """So that its outcome is sure; nobody runs it again."""
    one, two = (
        await machines.start("one", repeatable=False),
        await machines.start("two", repeatable=False),
    )
    await trio.sleep(2 * LEASE_S)
    async with one.connect() as (client, _):
        await accepted(client, seconds=60.0)
        last = client.last_seq
        one.shared.is_away = True
        cut_at = trio.current_time()
        while not one.naps.cancelled:
            await trio.sleep(0.1)
        took = trio.current_time() - cut_at
        await trio.sleep(30)
        one.shared.is_away = False
    async with two.connect(last_seq=last) as (client, _):
        answer = await client.hear_until(OUTCOMES)
        more = await outcomes(client, 30)

    assert took <= SURE_S + 0.2
    assert isinstance(answer, CallFailed)
    assert (0, []) == (two.naps.started, more)


async def test_an_outage_of_the_store_moves_no_call(machines, autojump_clock):
    """Whoever is back first gives the others the time to renew; outcomes of meanwhile are told then, and new calls refused."""
    one, two = await machines.start("one"), await machines.start("two")
    await trio.sleep(2 * LEASE_S)
    async with one.connect() as (client, _):
        await accepted(client, seconds=5.0)
        last = client.last_seq
        one.shared.is_away = two.shared.is_away = True
        await trio.sleep(30)
        async with one.connect("new") as (other, _):
            await other.nap("n1")
            refused = await other.hear_until(CallFailed)
        two.shared.is_away = False
        await trio.sleep(LEASE_S - 2)
        one.shared.is_away = False
    async with one.connect(last_seq=last) as (client, _):
        heard = await outcomes(client, 30)

    assert ("SERVICE_UNAVAILABLE", True) == (
        refused.error.code,
        refused.error.retry_after_s is not None,
    )
    assert ["r1"] == heard
    assert (1, 0) == (one.naps.started, two.naps.started)


async def test_a_cancel_reaches_the_daemon_that_runs_the_call(machines, autojump_clock):
    one, two = await machines.start("one"), await machines.start("two")
    last = await left_running(one, seconds=60.0)
    async with two.connect(last_seq=last) as (client, _):
        await client.say(Cancel(request_id="r1"))
        answer = await client.hear_until(OUTCOMES)
        await trio.sleep(0.1)

    assert "CANCELLED" == answer.error.code
    assert (1, 1, 0) == (one.naps.started, one.naps.cancelled, two.naps.started)


async def test_a_handle_that_is_given_elsewhere_leads_to_the_outcome(machines, autojump_clock):
    """The call runs on under it where it began, also when that machine dies."""
    one, two = await machines.start("one"), await machines.start("two", handle_after_s=5.0)
    await trio.sleep(2 * LEASE_S)
    last = await left_running(one, seconds=20.0)
    async with two.connect(last_seq=last) as (client, _):
        handle = (await client.hear_until(CallResult)).outputs[0].metadata["handle"]
        lookup = two.house.environment.services.calls
        report = await lookup.report(handle, "owner", 60)

    assert "slept 20" == report.answer.text
    assert (1, 0) == (one.naps.finished, two.naps.started)


async def handle_given(machine, name, **arguments):
    """Of a call that is sent to this machine."""
    async with machine.connect() as (client, _):
        await client.say(CallTool(request_id="r1", name=name, arguments=arguments))
        told = await client.hear_until(CallResult)
        return told.outputs[0].metadata["handle"]


async def asked(machine, handle, wait_s=60):
    return await machine.house.environment.services.calls.report(handle, "owner", wait_s)


async def test_work_under_a_handle_goes_on_when_its_machine_dies(machines, autojump_clock):
    """Whoever is asked for it then, also long after."""
    one, two = await machines.start("one", handle_after_s=2.0), await machines.start("two")
    await trio.sleep(2 * LEASE_S)
    handle = await handle_given(one, "nap", seconds=9.0)
    one.die()
    await trio.sleep(60)
    three = await machines.start("three")
    reports = [await asked(machine, handle) for machine in (two, three)]

    assert 1 == two.naps.finished
    assert ["slept 9", "slept 9"] == [one.answer and one.answer.text for one in reports]


async def test_an_outcome_that_does_not_count_is_told_by_nobody(machines, autojump_clock):
    """Whose call was claimed while its outcome could not be stored waits for the one that counts."""
    one, two = await machines.start("one", handle_after_s=1.0), await machines.start("two")
    await trio.sleep(2 * LEASE_S)
    handle = await handle_given(one, "where")
    one.shared.is_away = True
    await trio.sleep(11)
    one.shared.is_away = False
    early = await asked(one, handle, 0.5)
    told = [(await asked(machine, handle)).answer.text for machine in (one, two)]

    assert early.answer is None
    assert ["two", "two"] == told


async def test_a_handle_leads_to_the_outcome_of_a_call_that_was_claimed(machines, autojump_clock):
    """It was given while the database was away, and its call runs elsewhere meanwhile."""
    one, two = await machines.start("one", handle_after_s=12.0), await machines.start("two")
    await trio.sleep(2 * LEASE_S)
    async with one.connect() as (client, _):
        call_id = handle_of("win", "r1")
        await accepted(client, seconds=25.0)
        last = client.last_seq
    one.shared.is_away = True
    await trio.sleep(20)
    one.shared.is_away = False
    async with one.connect(last_seq=last) as (client, _):
        answered = await outcomes(client, 60)
    await trio.sleep(60)
    reports = [await asked(machine, call_id) for machine in (one, two)]
    async with two.connect(last_seq=client.last_seq) as (client, _):
        answered += await outcomes(client, 10)

    assert ["slept 25", "slept 25"] == [one.answer and one.answer.text for one in reports]
    assert ["r1"] == answered


async def test_a_client_that_comes_back_waits_for_no_call(machines, autojump_clock):
    """Whose outcome here does not count, and that runs where the client was meanwhile."""
    one, two = await machines.start("one"), await machines.start("two")
    await trio.sleep(2 * LEASE_S)
    last = await left_running(one, seconds=20.0)
    await trio.sleep(15)
    one.shared.is_away = True
    await trio.sleep(10)
    one.shared.is_away = False
    await trio.sleep(2)
    async with two.connect(last_seq=last) as (client, _):
        last = client.last_seq
    began = trio.current_time()
    async with one.connect(last_seq=last) as (client, ack):
        took = trio.current_time() - began
        answered = await outcomes(client, 60)

    assert (1, 1) == (one.naps.finished, two.naps.finished)
    assert took < 1
    assert (True, ["r1"]) == (ack.resumed, answered)


async def test_a_client_that_says_hello_twice_keeps_its_session(machines, autojump_clock):
    """Both are brought back at once, under the epoch that was taken last."""
    one, two = await machines.start("one"), await machines.start("two")
    two.shared.reads_s = 1.0
    last, told = 0, []

    async def visit():
        async with two.connect(last_seq=last) as (client, _):
            told.append(await outcomes(client, 10))

    for step in range(6):
        async with one.connect(last_seq=last) as (client, _):
            await accepted(client, f"r{step}", seconds=5.0)
            last = client.last_seq
        async with trio.open_nursery() as visits:
            visits.start_soon(visit)
            visits.start_soon(visit)
        last += 1

    assert [f"r{step}" for step in range(6)] == [name for names in told for name in names]


@pytest.mark.parametrize("dies", ["two", "nobody"])
async def test_a_call_whose_acceptance_is_heard_of_late_is_run(machines, autojump_clock, dies):
    """It was written just before its client moved, and the daemon that wrote it hears of the move first: it runs it all the same."""
    one, two = await machines.start("one"), await machines.start("two")
    await trio.sleep(2 * LEASE_S)
    one.shared.tells_s = 3.0
    async with one.connect() as (client, _):
        await client.nap("r1", seconds=1.0)
        await trio.sleep(0.1)
    async with two.connect() as (client, ack):
        if dies == "nobody":
            answer, more = await answered_once(client)
    if dies == "two":
        two.die()
        async with one.connect() as (client, ack):
            answer, more = await answered_once(client)

    assert ack.resumed
    assert (True, []) == (answer.ok, more)
    assert (1, 0) == (one.naps.started, two.naps.started)


@pytest.mark.parametrize("moves", [False, True])
async def test_a_call_that_may_be_written_is_not_refused(machines, autojump_clock, moves):
    """The store was asked, and has gone before it said: it is asked again, and whoever has the client by then answers, once."""
    one, two = await machines.start("one"), await machines.start("two")
    await trio.sleep(2 * LEASE_S)
    one.shared.loses_answers = True
    async with one.connect() as (client, _):
        await client.nap("r1", seconds=1.0)
        if not moves:
            silent = await outcomes(client, 20)
            one.shared.loses_answers = False
            answer, more = await answered_once(client)
        else:
            silent = await outcomes(client, 3)
    if moves:
        async with two.connect() as (client, _):
            one.shared.loses_answers = False
            answer, more = await answered_once(client)

    assert ([], True, []) == (silent, answer.ok, more)
    assert (1, 0) == (one.naps.started, two.naps.started)


async def test_a_call_that_comes_back_while_its_run_is_being_ended_is_run(machines, autojump_clock):
    """One daemon loses it to another and claims it again, before the first run, which takes its time to end, is over."""
    one = await machines.start("one")
    await trio.sleep(2 * LEASE_S)
    async with one.connect() as (client, _):
        await accepted(client, seconds=5.0, slow_to_end=4.0)
        ((name, row),) = machines.tables.calls.items()
        one.cluster.executions.lose(name)
        row.boot_id = "of an earlier process"
        answer, more = await answered_once(client)

    assert (True, []) == (answer.ok, more)
    assert (2, 1) == (one.naps.started, one.naps.finished)


async def test_a_run_that_is_lost_is_the_newest(machines, autojump_clock):
    """Not the one before it of the same call, which is being ended still."""
    one = await machines.start("one")
    await trio.sleep(2 * LEASE_S)
    async with one.connect() as (client, _):
        await accepted(client, seconds=50.0, slow_to_end=40.0)
        ((name, row),) = machines.tables.calls.items()
        one.cluster.executions.lose(name)
        row.boot_id = "of an earlier process"
        await trio.sleep(LEASE_S)
        begun = one.naps.started
        one.cluster.executions.lose(name)
        await trio.sleep(1.0)

    assert (2, 2) == (begun, one.naps.cancelled)


async def test_a_call_is_claimed_while_its_session_is_brought_back(machines, autojump_clock):
    """By the same daemon, which goes on to own the session."""
    one, two = await machines.start("one"), await machines.start("two")
    await trio.sleep(2 * LEASE_S)
    last = await left_running(one, seconds=3.0)
    one.die()
    two.shared.reads_s = 2 * LEASE_S
    async with two.connect(last_seq=last) as (client, _):
        answered = await outcomes(client, 10)
        await accepted(client, "r2", seconds=0.1)
        answered += await outcomes(client, 10)

    assert ["r1", "r2"] == answered


async def test_the_next_daemon_of_a_home_goes_on_at_once(machines, autojump_clock):
    """No lease is waited for: nobody else has that home."""
    one = await machines.start("one")
    last = await left_running(one, seconds=3.0)
    one.die()
    again = await machines.start("one")
    begun = trio.current_time()
    async with again.connect(last_seq=last) as (client, _):
        await client.hear_until(OUTCOMES)

    assert trio.current_time() - begun < 4


async def test_two_of_one_name_do_not_serve(machines, autojump_clock):
    """The second gives up after it has waited for a dead one's lease."""
    await machines.start("one")
    facts = DaemonFacts(executor="other", name="one", boot_id="b", address="", version="")
    with pytest.raises(ServiceUnavailableError, match="EXAI_DAEMON_NAME"):
        async with open_membership(facts, MemoryShared(machines.tables, facts)):
            pass


@attrs.define
class Wanderer:
    """A client that goes from daemon to daemon, and knows what it has heard of its session."""

    last: int = 0
    told: list = attrs.field(factory=list)
    accepted: set = attrs.field(factory=set)

    async def visit(self, machine, seconds, request_id=None, nap_s=0.0):
        """Send a call, if one is named, and listen for so long."""
        with trio.move_on_after(seconds), suppress(PeerGone):
            async with machine.connect(last_seq=self.last) as (client, ack):
                if getattr(ack, "session_id", None) != "win":
                    return
                if request_id:
                    await client.nap(request_id, seconds=nap_s)
                while True:
                    message = await client.hear()
                    if client.last_seq > self.last:
                        self.last = client.last_seq
                        self.note(message)

    def note(self, message):
        if isinstance(message, CallAccepted):
            self.accepted.add(message.request_id)
        if isinstance(message, OUTCOMES):
            self.told.append(message.request_id)


@pytest.mark.parametrize("seed", range(2))
async def test_whatever_happens_each_call_is_answered_once(machines, seed, autojump_clock):
    """Four daemons that die, are cut off and come back, while a client moves between them; every second universe without a word
    between daemons."""
    chance, client = random.Random(seed), Wanderer()  # noqa: S311  # no secret
    machines.tables.is_silent = seed % 2 == 0
    living = {name: await machines.start(name) for name in "abcd"}
    await trio.sleep(2 * LEASE_S)
    for step in range(12):
        listens_s, nap_s = chance.choice([0.1, 2.0, 8.0]), chance.choice([0.1, 3.0, 9.0])
        await client.visit(living[chance.choice("abcd")], listens_s, f"r{step}", nap_s)
        name = chance.choice("abcd")
        what = chance.choice(["die", "cut", "heal", "nothing"])
        if what == "die":
            living[name].die()
            living[name] = await machines.start(name)
        elif what != "nothing":
            living[name].shared.is_away = what == "cut"
    for one in living.values():
        one.shared.is_away = False
    await trio.sleep(60)
    await client.visit(living["a"], 60)

    assert sorted(set(client.told)) == sorted(client.told)
    assert client.accepted <= set(client.told)
    assert all(row.call.attempts <= 2 for row in machines.tables.calls.values())


async def test_a_lease_is_counted_from_before_the_renewal_was_sent(autojump_clock):
    """However long its answer was on the way."""
    facts = DaemonFacts(executor="one", name="one", boot_id="b", address="", version="")

    class Slow(MemoryShared):
        async def renew(self, *given, **named):
            held = await super().renew(*given, **named)
            await trio.sleep(1.0)
            return held

    began = trio.current_time()
    async with open_membership(facts, Slow(SharedTables(), facts)) as membership:
        until = membership.lease.serves_until

    assert began + SURE_S == until


def test_a_lease_is_counted_from_before_it_was_asked_for():
    """By one's own clock: what may be done, and from when on calls of others may be claimed."""
    lease = Lease()
    states = []
    for sent_at in (0.0, 1.5, 3.0, 4.5, 6.0, 20.0, 21.5, 23.0, 24.5, 26.0):
        lease = lease.renewed(sent_at)
        states.append(lease.may_claim(sent_at + 1))

    assert [False] * 4 + [True] + [False] * 4 + [True] == states
    assert lease.may_serve(26.0 + SURE_S - 0.01)
    assert not lease.may_serve(26.0 + SURE_S)
    assert not Lease().may_serve(0.0)
