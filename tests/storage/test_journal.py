"""The contract of Journal, held by every store."""

from contextlib import asynccontextmanager

import attrs
import pytest
import trio
from journal_in_memory import MemoryJournal
from logs_in_memory import log_before_memory

from exai_trio.storage.append_log.log import open_call_log
from exai_trio.storage.base import SWEEP_GRACE_S
from exai_trio.storage.journal import KEPT_S, KeptCall, KeptOutcome, KeptSession, NoHandles
from exai_trio.storage.journal_events import Accepted, Finished, RunAgain
from exai_trio.storage.postgres.database import open_database
from exai_trio.storage.postgres.journal import open_journal as open_journal_in
from exai_trio.storage.sqlite.store import open_sqlite


@asynccontextmanager
async def in_memory(path):
    yield MemoryJournal()


@asynccontextmanager
async def in_sqlite(path):
    async with open_sqlite(path) as store:
        yield store.journal()


@asynccontextmanager
async def in_a_log(path):
    async with open_sqlite(path) as store, open_call_log(path, store) as logged:
        yield logged.journal


@asynccontextmanager
async def in_a_log_over_power_loss(path):
    async with (
        open_sqlite(path, over_power_loss=True) as store,
        open_call_log(path, store, over_power_loss=True) as logged,
    ):
        yield logged.journal


@asynccontextmanager
async def in_a_retired_log(path):
    async with open_sqlite(path) as store, open_call_log(path, store) as logged:
        await logged.journal.retire()
        yield logged.journal


@asynccontextmanager
async def in_a_log_before_memory(path):
    yield log_before_memory()[0]


@asynccontextmanager
async def in_postgres(stage):
    async with (
        open_database(stage.url, lambda: 0.0) as database,
        open_journal_in(database, "home") as kept,
    ):
        yield kept


# real: the SQLite store works in threads, PostgreSQL is a process.
JOURNALS = [
    pytest.param(in_memory, id="memory"),
    pytest.param(in_a_log_before_memory, id="log before memory"),
    pytest.param(in_sqlite, id="sqlite", marks=pytest.mark.real),
    pytest.param(in_a_log, id="log", marks=pytest.mark.real),
    pytest.param(in_a_log_over_power_loss, id="log over power loss", marks=pytest.mark.real),
    pytest.param(in_a_retired_log, id="retired log", marks=pytest.mark.real),
    pytest.param(in_postgres, id="postgres", marks=pytest.mark.real),
]


@pytest.fixture(params=JOURNALS)
def open_journal(request, tmp_path):
    if request.param is in_postgres:
        stage = request.getfixturevalue("stage")
        return lambda: in_postgres(stage)
    return lambda: request.param(tmp_path / "exai.db")


def call(request='"r1"', session="s", **fields):
    fields = {
        "principal": "token",
        "resumable": True,
        "seq": 1,
        "frame": '{"op":"call_tool"}',
        "roots": ("/a", "/ü"),
        "timeout": 60.0,
        "at": 100.0,
    } | fields
    return KeptCall(session=session, request=request, **fields)


def outcome(seq=2, frame='{"ok":true}', at=101.0):
    return KeptOutcome(seq=seq, frame=frame, at=at)


async def test_nothing_is_kept_of_an_unknown_session(open_journal):
    """A session that never had a call is None."""
    async with open_journal() as journal:
        found = await journal.session("s"), await journal.unfinished()

    assert (None, ()) == found


async def test_calls_come_back_as_given_in_order(open_journal):
    """With every field, and the outcome if there is one; other sessions' calls are not among them."""
    first, second = call(), call("2", seq=3, roots=(), resumable=False, frame='{"a":"\\u0000 🙂"}')
    async with open_journal() as journal:
        await journal.accept(first)
        await journal.accept(second)
        await journal.accept(call(session="other"))
        await journal.finish("s", "2", outcome())
        found = await journal.session("s")

    assert KeptSession(calls=(first, attrs.evolve(second, outcome=outcome()))) == found


async def test_unfinished_names_the_sessions_with_open_calls(open_journal):
    """A session is named once, and not at all when all its calls have outcomes."""
    async with open_journal() as journal:
        for kept in (call(), call("2"), call(session="t"), call("3", session="t")):
            await journal.accept(kept)
        await journal.finish("s", '"r1"', outcome())
        await journal.finish("s", "2", outcome(seq=3))
        found = await journal.unfinished()

    assert ("t",) == found


async def test_runs_are_counted(open_journal):
    """Each further run is one more attempt."""
    async with open_journal() as journal:
        await journal.accept(call())
        await journal.run_again("s", '"r1"')
        found = await journal.session("s")

    assert [2] == [kept.attempts for kept in found.calls]


async def test_the_first_outcome_counts(open_journal):
    """A call has one outcome for ever."""
    async with open_journal() as journal:
        await journal.accept(call())
        await journal.finish("s", '"r1"', outcome())
        await journal.finish("s", '"r1"', outcome(seq=9, frame="{}"))
        found = await journal.session("s")

    assert outcome() == found.calls[0].outcome


async def test_an_outcome_needs_its_call(open_journal):
    """An outcome of a call that is not kept is not kept either."""
    async with open_journal() as journal:
        await journal.finish("s", '"r1"', outcome())
        found = await journal.session("s")

    assert found is None


async def test_a_new_call_under_an_old_id_takes_its_place(open_journal):
    """The older outcome goes with it."""
    async with open_journal() as journal:
        await journal.accept(call())
        await journal.accept(call("2", seq=2))
        await journal.finish("s", '"r1"', outcome())
        await journal.accept(call(seq=7))
        found = await journal.session("s")

    assert [("2", 2, None), ('"r1"', 7, None)] == [(c.request, c.seq, c.outcome) for c in found.calls]  # fmt: skip


async def test_acknowledgements_only_rise(open_journal):
    """An ack that comes late does not take a newer one back."""
    async with open_journal() as journal:
        await journal.accept(call())
        await journal.acknowledge({"s": 5})
        await journal.acknowledge({"s": 3})
        found = await journal.session("s")

    assert 5 == found.acked


async def test_of_a_session_without_calls_no_ack_is_noted(open_journal):
    """Its next life counts from 1 again: an old number would pass for an acknowledgement of the new frames."""
    async with open_journal() as journal:
        await journal.acknowledge({"s": 5})
        await journal.accept(call())
        found = await journal.session("s")

    assert 0 == found.acked


async def test_numbers_of_a_new_life_are_kept(open_journal):
    """The newest base counts, beside the acknowledgement."""
    async with open_journal() as journal:
        await journal.accept(call())
        await journal.number_from("s", 2**32)
        await journal.acknowledge({"s": 5})
        await journal.number_from("s", 2**33)
        found = await journal.session("s")

    assert (5, 2**33) == (found.acked, found.base)


async def test_the_sweep_takes_what_is_acknowledged_or_old(open_journal):
    """Unacknowledged and lasting outcomes stay for 48 h, those without a number for as long as given, open calls for ever; what
    is old goes a grace after it was first found so."""
    now = 1_000_000.0
    async with open_journal() as journal:
        for kept in (call("1"), call("2"), call("3"), call("4"), call("5", seq=0), call("6", seq=0), call("7", lasting=True), call("8", lasting=True)):  # fmt: skip
            await journal.accept(kept)
        await journal.finish("s", "1", outcome(seq=11, at=now))
        await journal.finish("s", "2", outcome(seq=12, at=now))
        await journal.finish("s", "3", outcome(seq=13, at=now - KEPT_S))
        await journal.finish("s", "5", outcome(seq=0, at=now - 300))
        await journal.finish("s", "6", outcome(seq=0, at=now - 299))
        await journal.finish("s", "7", outcome(seq=10, at=now))
        await journal.finish("s", "8", outcome(seq=9, at=now - KEPT_S))
        await journal.acknowledge({"s": 11})
        left = []
        for at in (now, now + 299, now + 300, now + SWEEP_GRACE_S):
            gone = await journal.sweep_calls(at, unnumbered_s=300)
            found = await journal.session("s")
            left.append((gone, "".join(kept.request for kept in found.calls)))

    assert [(1, "2345678"), (0, "2345678"), (1, "234678"), (3, "247")] == left
    assert 11 == found.acked


async def test_without_a_trusted_time_only_what_is_acknowledged_goes(open_journal):
    """However old the rest is, and it loses no mark."""
    async with open_journal() as journal:
        for kept in (call("1"), call("2")):
            await journal.accept(kept)
            await journal.finish("s", kept.request, outcome(seq=10 + int(kept.request), at=0.0))
        await journal.acknowledge({"s": 11})
        marked = await journal.sweep_calls(KEPT_S, 300)
        untrusted = await journal.sweep_calls(None, 300)
        gone = await journal.sweep_calls(KEPT_S + SWEEP_GRACE_S, 300)

    assert (1, 0, 1) == (marked, untrusted, gone)


async def test_a_lasting_call_goes_once_it_is_sure_that_no_handle_asks_for_it(open_journal):
    """Not one that was acknowledged before anybody was sure, one of which a handle was told, or one of another session."""
    async with open_journal() as journal:
        for seq, name in enumerate(("s1", "s2", "s3", "s4", "t2"), 1):
            await journal.accept(call(name[1], session=name[0], lasting=True))
            await journal.finish(name[0], name[1], outcome(seq=seq, at=0.0))
        await journal.acknowledge({"s": 3, "t": 5}, {"s": NoHandles(1, ("3",))})
        gone = await journal.sweep_calls(None, 300)
        left = [(await journal.session(name)).calls for name in "st"]

    assert 1 == gone
    assert [["1", "3", "4"], ["2"]] == [[kept.request for kept in calls] for calls in left]


async def test_marks_of_a_clock_that_was_ahead_are_not_counted(open_journal):
    """An outcome that was old by a clock far ahead has its whole grace once it is old."""
    ahead = 10 * KEPT_S
    async with open_journal() as journal:
        await journal.accept(call())
        await journal.finish("s", '"r1"', outcome(at=0.0))
        gone = [await journal.sweep_calls(now, 300) for now in (ahead, 1.0, ahead, ahead + 1)]

    assert [0, 0, 0, 0] == gone


@pytest.mark.parametrize("name", ["token", "anyone", ""])
async def test_the_owners_calls_are_theirs_under_all_names(open_journal, name):
    """As older daemons wrote them; another principal's are its own."""
    async with open_journal() as journal:
        await journal.accept(call("1", principal=name))
        await journal.accept(call("2", principal="jwt:b"))
        names = await journal.names("owner"), await journal.names("jwt:b")

    assert ((("s", "1"),), (("s", "2"),)) == names


async def test_the_sweep_takes_acks_of_sessions_without_calls(open_journal):
    """A session whose calls are all gone leaves nothing."""
    async with open_journal() as journal:
        await journal.accept(call())
        await journal.finish("s", '"r1"', outcome())
        await journal.acknowledge({"s": 2})
        await journal.sweep_calls(200.0, unnumbered_s=300)
        await journal.accept(call())
        found = await journal.session("s")

    assert 0 == found.acked


async def test_a_long_sweep_goes_on_to_the_end(open_journal):
    """However many calls are due, one sweep takes them all."""
    async with open_journal() as journal:
        async with trio.open_nursery() as writing:
            for number in range(1_001):
                writing.start_soon(_finished, journal, str(number))
        marked = await journal.sweep_calls(101.0 + KEPT_S, unnumbered_s=300)
        gone = await journal.sweep_calls(101.0 + KEPT_S + SWEEP_GRACE_S, unnumbered_s=300)
        left = await journal.session("s")

    assert (0, 1_001, None) == (marked, gone, left)


async def _finished(journal, request):
    await journal.accept(call(request))
    await journal.finish("s", request, outcome())


@pytest.mark.real
async def test_what_was_written_is_there_after_reopening(tmp_path):
    """With synchronous FULL as well."""
    path = tmp_path / "exai.db"
    async with open_sqlite(path, over_power_loss=True) as store:
        await store.journal().accept(call())
    async with open_sqlite(path) as store:
        found = await store.journal().session("s")

    assert (call(),) == found.calls


@pytest.mark.parametrize("open_backing", [JOURNALS[0], JOURNALS[2]])
async def test_a_segment_is_folded_once(open_backing, tmp_path):
    """However often it is offered; what is over is forgotten with it, once as well."""
    first = [((1, 0), Accepted(call("1"))), ((1, 90), RunAgain("s", "1")), ((1, 180), Accepted(call("2")))]  # fmt: skip
    second = [*first, ((2, 0), RunAgain("s", "1")), ((2, 90), Finished("s", "nobody", outcome()))]
    async with open_backing(tmp_path / "exai.db") as journal:
        before = await journal.folded()
        await journal.fold(1, [("s", "0")], lambda: first)
        await journal.fold(2, [("s", "2")], lambda: second)
        await journal.fold(2, [("s", "1")], lambda: second)
        found = await journal.session("s")
        folded = await journal.folded()
        known = [await journal.has("s", request) for request in "12"]

    assert (0, 2) == (before, folded)
    assert [call("1", attempts=3)] == list(found.calls)
    assert [True, False] == known


async def test_a_call_that_is_handed_over_goes_on_under_another_name(open_journal):
    """One step: the outcome of the old call and the new call, whose outcome stays when the old one is acknowledged."""
    async with open_journal() as journal:
        await journal.accept(call())
        away = call(session="call_1", attempts=2)
        await journal.hand_over("s", '"r1"', outcome(frame='"handle"'), away)
        open_now = await journal.unfinished()
        await journal.finish("call_1", '"r1"', outcome())
        await journal.acknowledge({"s": 9})
        gone = await journal.sweep_calls(200.0, 0.0)
        kept = await journal.session("call_1")
        names = await journal.names("token"), await journal.names("other")

    assert ("call_1",) == open_now
    assert 1 == gone
    assert KeptSession(calls=(attrs.evolve(away, outcome=outcome()),)) == kept
    assert ((("call_1", '"r1"'),), ()) == names
