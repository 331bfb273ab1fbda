"""The contract of SharedCalls, held by PostgreSQL and by the dicts that stand for it in tests."""

from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing
from kept_calls import call
from shared_in_memory import MemoryShared, SharedTables

from exai_trio.errors import StorageError
from exai_trio.storage.journal import KeptOutcome
from exai_trio.storage.postgres.database import open_database
from exai_trio.storage.postgres.journal import open_journal
from exai_trio.storage.postgres.shared_calls_store import PostgresCalls
from exai_trio.storage.shared.shared_calls import (
    UNNUMBERED,
    CallMoved,
    DaemonFacts,
    Said,
    SessionMoved,
)

MINE = call(session="win", principal="owner", seq=1)
NAME = ("win", "1")


def facts(executor, boot_id="boot"):
    return DaemonFacts(
        executor=executor, name=f"name of {executor}", boot_id=boot_id, address="", version=""
    )


def outcome(frame, seq=2):
    return KeptOutcome(seq=seq, frame=frame, at=1.0)


@attrs.define
class InMemory:
    tables: SharedTables = attrs.field(factory=SharedTables)

    @asynccontextmanager
    async def open(self, of):
        yield MemoryShared(self.tables, of)

    def expire(self, executor):
        self.tables.daemons[executor].until = -1.0


@attrs.define
class InPostgres:
    stage: object

    @asynccontextmanager
    async def open(self, of):
        async with (
            open_database(self.stage.url, lambda: 0.0) as database,
            open_journal(database, of.executor, of.boot_id) as journal,
        ):
            yield PostgresCalls(database, journal)

    def expire(self, executor):
        self.stage.execute(
            "update daemons set lease_until = clock_timestamp() where executor = %s", executor
        )


@pytest.fixture(
    params=[
        pytest.param("memory", id="memory"),
        pytest.param("postgres", id="postgres", marks=pytest.mark.real),
    ]
)
def store(request):
    if request.param == "memory":
        return InMemory()
    return InPostgres(request.getfixturevalue("stage"))


@attrs.define
class Two:
    """Two daemons with leases; `one` owns the session "win" and runs its call."""

    one: object
    two: object
    store: object
    A = facts("a")
    B = facts("b")

    async def finish_by(self, daemon, frame, *, attempt, epoch=0, seq=2):
        return await daemon.finish(NAME, outcome(frame, seq), epoch=epoch, attempt=attempt)

    async def kept(self):
        """The outcome, its number, its owner's words."""
        session = await self.one.journal_of("", 0).session("win")
        return session.calls[0].outcome


@pytest.fixture
async def two(store):
    async with store.open(Two.A) as one, store.open(Two.B) as other:
        for daemon, of in ((one, Two.A), (other, Two.B)):
            assert "held" == await daemon.renew(of, is_first=True, draining=False)
        await one.journal_of("win", 1).accept(MINE)
        yield Two(one, other, store)


async def claimed(daemon, of, *, others=True, anew=False):
    return [one.request for one in await daemon.claim(of, others=others, anew=anew, most=50)]


async def test_what_a_living_daemon_runs_is_nobody_elses(two):
    """Until its lease has ended; and whoever claims must have one."""
    living = await claimed(two.two, two.B)
    two.store.expire("a")
    asked = await claimed(two.two, two.B, others=False)
    two.store.expire("b")
    without = await claimed(two.two, two.B)
    await two.two.renew(two.B, is_first=False, draining=False)
    granted = await claimed(two.two, two.B), await claimed(two.two, two.B)

    assert [[], [], []] == [living, asked, without]
    assert (["1"], []) == granted


async def test_the_next_process_of_a_home_has_what_is_left_there(two):
    """Though the lease lasts; not the process that has accepted it, unless it asks for what it may have missed."""
    next_one = facts("a", "next boot")
    own = await claimed(two.one, two.A), await claimed(two.one, two.A, anew=True)
    async with two.store.open(next_one) as later:
        await later.renew(next_one, is_first=True, draining=False)
        replaced = await two.one.renew(two.A, is_first=False, draining=False)
        left = await claimed(later, next_one, others=False)

    assert ([], ["1"]) == own
    assert ("replaced", ["1"]) == (replaced, left)


async def test_a_name_is_one_living_daemons(two):
    other = attrs.evolve(two.A, executor="c")
    async with two.store.open(other) as namesake:
        taken = await namesake.renew(other, is_first=True, draining=False)
        await two.one.release(two.A)
        free = await namesake.renew(other, is_first=True, draining=False)

    assert ("taken", "held") == (taken, free)


async def test_an_outcome_counts_of_its_executor_in_that_run_once(two):
    """Another's, an older run's and a second one are dropped; the first, told again, is the same one."""
    await two.one.journal_of("", 0).run_again(*NAME)
    counts = [
        await two.finish_by(two.two, "another's", attempt=2),
        await two.finish_by(two.one, "an older run's", attempt=1, epoch=1),
        await two.finish_by(two.one, "right", attempt=2, epoch=1),
        await two.finish_by(two.one, "right", attempt=2, epoch=1),
        await two.finish_by(two.one, "second", attempt=2, epoch=1),
    ]

    assert ["stands", "stands", "kept", "kept", "stands"] == counts
    assert ("right", 2) == ((await two.kept()).frame, (await two.kept()).seq)


async def test_one_that_has_lost_the_call_begins_no_run(two):
    two.store.expire("a")
    await claimed(two.two, two.B)
    with pytest.raises(CallMoved):
        await two.one.journal_of("win", 1).run_again(*NAME)
    lost = await two.finish_by(two.one, "late", attempt=1, epoch=1)
    won = await two.finish_by(two.two, "right", attempt=1, seq=UNNUMBERED)

    assert ("stands", "kept") == (lost, won)


async def test_who_takes_a_session_numbers_its_frames_from_then_on(two):
    """What the former owner writes under its epoch has no number, nor is a call accepted or a base noted so."""
    epochs = [
        await two.two.take(two.B, "owner", "win", 0, 0),
        await two.two.take(two.B, "owner", "win", 2, 0),
        await two.two.take(two.B, "stranger", "win", 0, 0),
        await two.two.take(two.B, "owner", "unknown", 0, 0),
    ]
    with pytest.raises(StorageError):
        await two.one.journal_of("win", 1).accept(attrs.evolve(MINE, request="2"))
    await two.one.journal_of("win", 1).number_from("win", 77)
    await two.one.journal_of("", 0).acknowledge({"win": 99})
    former = await two.finish_by(two.one, "right", attempt=1, epoch=1, seq=5)
    untold = await two.kept()
    session = await two.two.journal_of("win", 2).session("win")
    numbered = await two.finish_by(two.two, "right", attempt=0, epoch=2, seq=9)

    assert [2, 2, 0, 0] == epochs
    assert (None, 0, 0) == (untold, session.acked, session.base)
    assert ("untold", "kept") == (former, numbered)
    assert ("right", 9) == ((await two.kept()).frame, (await two.kept()).seq)


async def test_a_daemon_hears_what_is_otherwise_than_it_believes(two):
    """Sessions and calls that it has not any more, outcomes that it waits for; of what is so, nothing."""
    running = [(*NAME, "call_h")]
    before = await two.one.compare(two.A, {"win": 1, "new": 1}, running, [NAME])
    await two.two.take(two.B, "owner", "win", 0, 0)
    await two.finish_by(two.two, "cancelled", attempt=0, epoch=2, seq=3)
    after = await two.one.compare(two.A, {"win": 1}, running, [NAME, ("win", "gone")])

    assert ([], [], {}) == (list(before.superseded), list(before.lost), dict(before.stored))
    assert (["win"], [NAME]) == (list(after.superseded), list(after.lost))
    assert {NAME: "cancelled", ("win", "gone"): None} == after.stored


async def test_work_goes_on_under_a_handle_where_it_runs(two):
    """Though another daemon has given it; its outcome counts there, in the same run."""
    await two.two.take(two.B, "owner", "win", 0, 0)
    going_on = attrs.evolve(MINE, session="call_h", attempts=0, seq=1)
    await two.two.journal_of("win", 2).hand_over(*NAME, outcome("handle", 4), going_on)
    believed = await two.one.compare(two.A, {}, [(*NAME, "call_h")], [])
    late = await two.finish_by(two.one, "right", attempt=1, epoch=1)
    kept = await two.one.finish(("call_h", "1"), outcome("right"), epoch=0, attempt=1)

    assert ([], "stands", "kept") == (list(believed.lost), late, kept)
    assert ("handle", 4) == ((await two.kept()).frame, (await two.kept()).seq)


async def test_a_handle_is_not_the_outcome_of_a_run_that_counts_no_more(two):
    """Its owner gives it to the call wherever it runs by now; one that has an outcome keeps that."""
    two.store.expire("a")
    await claimed(two.two, two.B)
    await two.two.journal_of("", 0).run_again(*NAME)
    going_on = attrs.evolve(MINE, session="call_h", seq=1)
    ours, there = two.one.journal_of("win", 1), attrs.evolve(going_on, attempts=0)
    with pytest.raises(CallMoved):
        await ours.hand_over(*NAME, outcome("handle", 4), attrs.evolve(going_on, attempts=1))
    await ours.hand_over(*NAME, outcome("handle", 4), there)
    with pytest.raises(CallMoved):
        await ours.hand_over(*NAME, outcome("another", 5), there)
    right = await two.two.finish(("call_h", "1"), outcome("right"), epoch=0, attempt=2)

    assert ("handle", "kept") == ((await two.kept()).frame, right)


async def test_a_client_that_has_come_elsewhere_since_is_not_taken_away(two):
    """Its older hello, late on its way, changes nothing; one that does not count takes the session as before."""
    newest = await two.two.take(two.B, "owner", "win", 0, 5)
    with pytest.raises(SessionMoved):
        await two.one.take(two.A, "owner", "win", 1, 4)
    stays = await two.two.take(two.B, "owner", "win", newest, 6)
    uncounted = await two.one.take(two.A, "owner", "win", 1, 0)
    back = await two.two.take(two.B, "owner", "win", newest, 7)

    assert (2, 2, 3, 4) == (newest, stays, uncounted, back)


async def test_who_has_to_know_is_told(two):
    """The former owner, that its session is taken; the new one, that an outcome is there."""
    heard = []

    async def listen(daemon, of, task_status):
        async with daemon.listening(of) as word:
            task_status.started()
            await word()
            heard.append(of.executor)

    with trio.fail_after(20):
        async with trio.open_nursery() as listening:
            await listening.start(listen, two.one, two.A)
            await trio.testing.wait_all_tasks_blocked(0.01)
            await two.two.take(two.B, "owner", "win", 0, 0)
        async with trio.open_nursery() as listening:
            await listening.start(listen, two.two, two.B)
            await trio.testing.wait_all_tasks_blocked(0.01)
            await two.finish_by(two.one, "right", attempt=1, seq=UNNUMBERED)

    assert ["a", "b"] == heard


async def test_what_a_call_says_is_heard_where_its_session_is(two):
    """By another daemon, while that lives; what is too long for a notification is not said."""
    so_far, own = Said(NAME, "so far"), []

    async def note(hear_own):
        own.append(await hear_own())

    async with two.one.listening(two.A) as hear_own, two.two.listening(two.B) as hear:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(note, hear_own)
            await trio.testing.wait_all_tasks_blocked(0.01)
            await two.one.say(two.A, [Said(NAME, "to itself")])
            await two.two.take(two.B, "owner", "win", 0, 0)
        two.store.expire("b")
        await two.one.say(two.A, [Said(NAME, "to nobody that lives")])
        await two.two.renew(two.B, is_first=False, draining=False)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(two.one.say, two.A, [Said(NAME, "x" * 8_000), so_far])
            with trio.fail_after(20):
                heard = await hear()

    assert [()] == [one.said for one in own]
    assert (so_far,) == heard.said


@pytest.mark.real
async def test_what_another_version_says_is_not_heard(stage):
    """Whatever it is; what is understood is."""
    store = InPostgres(stage)
    async with store.open(Two.A) as one, store.open(Two.B) as other:
        await other.renew(Two.B, is_first=True, draining=False)
        await other.journal_of("win", 1).accept(MINE)
        async with other.listening(Two.B) as hear:
            stage.execute(
                "select pg_notify('exai b', said) from unnest(array['', '{}', '[1]']) as said"
            )
            await one.say(Two.A, [Said(NAME, "so far")])
            with trio.fail_after(20):
                heard = await hear()

    assert (False, (Said(NAME, "so far"),)) == (heard.is_news, heard.said)


@pytest.mark.real
async def test_of_a_daemon_that_is_gone_nothing_is_kept_for_ever(stage):
    """Nor of a session that it had whose call another one has ended, though no client ever comes."""
    store = InPostgres(stage)
    async with store.open(Two.A) as one, store.open(Two.B) as other:
        for daemon, of in ((one, Two.A), (other, Two.B)):
            await daemon.renew(of, is_first=True, draining=False)
        await one.journal_of("win", 1).accept(MINE)
        stage.execute("update daemons set lease_until = now() - interval '2 days' where executor = 'a'")  # fmt: skip
        await claimed(other, Two.B)
        journal = other.journal_of("", 0)
        await journal.sweep_calls(100.0, 10.0)
        await other.finish(NAME, outcome("right", UNNUMBERED), epoch=0, attempt=1)
        for now in (100.0, 200.0, 300.0):
            await journal.sweep_calls(now, 10.0)
    left = stage.execute(
        "select (select count(*) from journal_calls), (select count(*) from sessions), (select count(*) from daemons)"
    )

    assert [(0, 0, 1)] == left


async def test_it_is_told_who_lives_and_runs_what(two):
    two.store.expire("b")
    told = {one.facts.executor: one for one in await two.one.daemons()}

    assert (1, 1, True) == (told["a"].running, told["a"].owned, told["a"].lease_s > 0)
    assert (0, 0, True) == (told["b"].running, told["b"].owned, told["b"].lease_s <= 0)
