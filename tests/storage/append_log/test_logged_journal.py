"""The journal with a log before it keeps what one without keeps, whenever it is folded, killed and read again."""

import errno
import random

import attrs
import pytest
import trio
from hypothesis import HealthCheck, given, settings, strategies as st
from journal_in_memory import MemoryJournal
from kept_calls import call, outcome
from logs_in_memory import MemoryDisk, log_before_memory

from exai_trio.errors import StorageError
from exai_trio.storage.append_log import journal as logged_journal
from exai_trio.storage.append_log.segments import Segments
from exai_trio.storage.journal import KeptOutcome, NoHandles
from exai_trio.storage.sqlite.error_kinds import DiskFull, NotKept

FOLDED_SOON = 1  # byte: each look seals what there is


def ended(seq):
    return KeptOutcome(seq=seq, frame="{}", at=1.0)


async def requests_in(journal, session="s"):
    found = await journal.session(session)
    return [kept.request for kept in found.calls] if found else []


def killed(disk, backing):
    """The next daemon's journal, after a kill of the last one's."""
    return log_before_memory(disk, backing)[0]


async def test_what_was_noted_outlives_a_kill():
    """Before anything of it was folded, and in the order in which it was accepted."""
    journal, disk, backing = log_before_memory()
    for request in "123":
        await journal.accept(call(request))
    await journal.run_again("s", "2")
    await journal.finish("s", "1", outcome())
    await journal.number_from("s", 2**32)
    await journal.acknowledge({"s": 1})
    before = await backing.session("s")
    found = await killed(disk, backing).session("s")

    assert before is None
    assert [call("1", outcome=outcome()), call("2", attempts=2), call("3")] == list(found.calls)
    assert (1, 2**32) == (found.acked, found.base)


async def test_an_outcome_is_noted_at_once_where_nobody_has_to_wait():
    """Not while the thread works, whose records come first, and not in a log that is retired. What was noted outlives a kill."""
    journal, disk, backing = log_before_memory()
    for request in "12":
        await journal.accept(call(request))
    noted = [journal.finish_at_once("s", "1", ended(3))]
    journal._thread.is_idle = False
    noted.append(journal.finish_at_once("s", "2", ended(4)))
    found = await killed(disk, backing).session("s")
    journal._thread.is_idle = True
    await journal.retire()
    noted.append(journal.finish_at_once("s", "2", ended(4)))

    assert [True, False, False] == noted
    assert [call("1", outcome=ended(3)), call("2")] == list(found.calls)


async def test_what_is_over_never_reaches_the_database():
    """A call that has ended and whose outcome was acknowledged before its segment was folded; its neighbours do."""
    journal, disk, backing = log_before_memory()
    for seq, request in enumerate(("open", "unacknowledged", "over"), 1):
        await journal.accept(call(request, seq=seq))
    await journal.finish("s", "over", ended(4))
    await journal.finish("s", "unacknowledged", ended(5))
    await journal.acknowledge({"s": 4})
    gone = await journal.fold()

    assert 1 == gone
    assert {("s", "open"), ("s", "unacknowledged")} == set(backing._calls)
    assert [disk.files[number].data for number in disk.numbers()] == [b""]


async def test_a_call_that_gives_handles_is_never_over():
    """Its client may have told a handle before the outcome came: that is asked for, for two days."""
    journal, _, backing = log_before_memory()
    await journal.accept(call("1", lasting=True))
    await journal.finish("s", "1", ended(2))
    await journal.acknowledge({"s": 2})
    await journal.fold()

    assert [("s", "1")] == list(backing._calls)


async def test_a_call_of_which_no_handle_was_told_is_over():
    """Where its client says so with its acknowledgement; also one that is in the database already. Others stay."""
    journal, _, backing = log_before_memory()
    await journal.accept(call("folded", lasting=True))
    await journal.finish("s", "folded", ended(1))
    await journal.accept(call("half folded", lasting=True))
    await journal.fold()
    for seq, request in enumerate(("not sure", "over", "told"), 2):
        await journal.accept(call(request, lasting=True))
        await journal.finish("s", request, ended(seq))
    await journal.finish("s", "half folded", ended(5))
    await journal.acknowledge({"s": 1}, {"s": NoHandles(0)})
    await journal.acknowledge({"s": 5}, {"s": NoHandles(2, ("told",))})
    await journal.fold()
    unswept = list(backing._calls)
    await journal.sweep_calls(None, 0.0)

    assert [("s", one) for one in ("folded", "not sure", "told")] == unswept
    assert [("s", one) for one in ("not sure", "told")] == list(backing._calls)


async def test_what_was_over_is_over_after_a_kill():
    """The log of an earlier life is read as it was written."""
    journal, disk, backing = log_before_memory()
    for seq, request in enumerate(("over", "not yet"), 1):
        await journal.accept(call(request, seq=seq))
        await journal.finish("s", request, ended(2 + seq))
    await journal.acknowledge({"s": 3})
    await killed(disk, backing).fold()

    assert [("s", "not yet")] == list(backing._calls)


async def test_what_goes_on_under_a_handle_is_kept():
    """Whatever is acknowledged: the handle is asked for by name."""
    journal, _, backing = log_before_memory()
    await journal.accept(call("1"))
    await journal.hand_over("s", "1", ended(2), call("1", session="call_1"))
    await journal.finish("call_1", "1", ended(2))
    await journal.acknowledge({"s": 9, "call_1": 9})
    await journal.fold()

    assert [("call_1", "1")] == list(backing._calls)


async def test_the_acknowledgement_of_the_first_outcome_counts():
    """A second one is nothing, also here."""
    journal, _, backing = log_before_memory()
    await journal.accept(call("1"))
    await journal.finish("s", "1", ended(2))
    await journal.finish("s", "1", ended(9))
    await journal.acknowledge({"s": 2})
    await journal.fold()

    assert {} == backing._calls


async def test_numbers_are_known_although_their_calls_are_in_the_database():
    """An acknowledgement, and where a new life begins to count."""
    journal, _, _ = log_before_memory()
    await journal.accept(call("1"))
    await journal.fold()
    await journal.acknowledge({"s": 5})
    acked = (await journal.session("s")).acked
    await journal.number_from("s", 2**32)
    base = (await journal.session("s")).base

    assert (5, 2**32) == (acked, base)


async def test_an_older_call_of_an_id_goes_with_the_newer_one_that_is_over():
    """Else it would be run again."""
    journal, _, backing = log_before_memory()
    await journal.accept(call("1"))
    await journal.fold()
    await journal.accept(call("1", seq=7))
    await journal.finish("s", "1", ended(8))
    await journal.acknowledge({"s": 8})
    await journal.fold()

    assert {} == backing._calls


async def test_a_call_that_was_folded_open_gets_its_outcome_in_the_database():
    """Also if that is acknowledged before it is folded: what is there must not be run again."""
    journal, _, backing = log_before_memory()
    await journal.accept(call("1"))
    await journal.fold()
    await journal.finish("s", "1", ended(2))
    await journal.acknowledge({"s": 2})
    await journal.fold()
    found = await backing.session("s")

    assert ([ended(2)], 2) == ([kept.outcome for kept in found.calls], found.acked)


async def test_an_acknowledgement_while_it_is_folded_leaves_no_call_open(autojump_clock):
    """What is begun to be folded is folded to its end."""

    class Slow(MemoryJournal):
        async def fold(self, last, over, events):
            found = list(events())
            await trio.sleep(1)
            await super().fold(last, over, lambda: found)

    journal, _, backing = log_before_memory(backing=Slow())
    await journal.accept(call("1"))
    async with trio.open_nursery() as folding:
        folding.start_soon(journal.fold)
        await trio.testing.wait_all_tasks_blocked()
        await journal.finish("s", "1", ended(2))
        await journal.acknowledge({"s": 2})
    await journal.fold()

    assert () == await backing.unfinished()


async def test_a_segment_stays_until_it_is_folded():
    """A database that fails costs nothing: the next time all is folded, once."""

    class Failing(MemoryJournal):
        failing = True

        async def fold(self, last, over, events):
            if self.failing:
                raise StorageError("test")
            await super().fold(last, over, events)

    journal, disk, backing = log_before_memory(backing=Failing())
    await journal.accept(call("1"))
    await journal.run_again("s", "1")
    with pytest.raises(StorageError):
        await journal.fold()
    left = len(disk.files[1].data)
    backing.failing = False
    found = await journal.session("s")

    assert left > 0
    assert [2] == [kept.attempts for kept in found.calls]


async def test_what_was_folded_is_not_folded_again():
    """A daemon that was killed between the commit and the removal of the segment; a fold whose asker was cancelled."""
    journal, disk, backing = log_before_memory()
    await journal.accept(call("1"))
    await journal.run_again("s", "1")
    kept = attrs.evolve(disk.files[1])
    await journal.fold()
    disk.files[1] = kept
    next_one = killed(disk, backing)
    await next_one.accept(call("2"))
    found = await next_one.session("s")

    assert [("1", 2), ("2", 1)] == [(kept.request, kept.attempts) for kept in found.calls]


async def test_a_fold_that_was_cancelled_after_its_commit_is_not_done_again(autojump_clock):
    """Its asker never learnt that it was done."""

    class Unheard(MemoryJournal):
        async def fold(self, last, over, events):
            await super().fold(last, over, events)
            await trio.sleep(1)

    journal, _, _ = log_before_memory(backing=Unheard())
    await journal.accept(call("1"))
    await journal.run_again("s", "1")
    with trio.move_on_after(0.01):
        await journal.fold()
    found = await journal.session("s")

    assert [2] == [kept.attempts for kept in found.calls]


async def _after(work, *given):
    await work(*given)
    await trio.sleep(1)


async def _before(_work, *_given):
    await trio.sleep(1)


@pytest.mark.parametrize(
    ("owner", "name", "wait"),
    [
        ("backing", "fold", _after),
        ("backing", "fold", _before),
        ("_thread", "write", _before),
    ],
    ids=["folded", "not folded", "not removed"],
)
async def test_a_cancelled_fold_costs_no_outcome_that_came_later(
    owner, name, wait, monkeypatch, autojump_clock
):
    """A call that the database has open ends, and is over, before the segment of the cancelled fold is removed: it goes from there."""
    journal, disk, backing = log_before_memory()
    await journal.accept(call("over", lasting=True))
    await journal.fold()
    await journal.accept(call("open"))
    last = await journal._thread.write(Segments.roll)
    with monkeypatch.context() as stuck, trio.move_on_after(0.5):
        work = getattr(getattr(journal, owner), name)
        stuck.setattr(type(getattr(journal, owner)), name, lambda _, *given: wait(work, *given))
        await journal._fold_one(last)
    await journal.finish("s", "over", ended(2))
    await journal.acknowledge({"s": 2}, {"s": NoHandles(0)})
    await journal.fold()

    assert [("s", "open")] == list(backing._calls)
    assert [disk.files[number].data for number in disk.numbers()] in ([], [b""])


@pytest.mark.parametrize("torn", [b"\x01", bytes(40), b"\xff" * 40])
async def test_a_torn_end_is_told_and_nothing_is_lost_by_it(torn, caplog):
    """What is written after the next start stands in a segment of its own."""
    journal, disk, backing = log_before_memory()
    await journal.accept(call("1"))
    disk.files[1].data += torn
    journal = killed(disk, backing)
    await journal.accept(call("2"))

    last = killed(disk, backing)
    found = await requests_in(last)
    await last.fold()

    assert ["1", "2"] == found
    assert "the end of the call log is torn" in caplog.text
    assert [1] == disk.kept_aside


async def test_a_record_that_the_disk_changes_costs_its_call_only(caplog):
    """It is seen when it is folded."""
    journal, disk, _ = log_before_memory()
    for request in "123":
        await journal.accept(call(request))
    length = len(disk.files[1].data) // 3
    disk.files[1].data[length + 20] ^= 1

    assert ["1", "3"] == await requests_in(journal)
    assert "record of the call log lost" in caplog.text


async def test_a_long_segment_is_folded_two_looks_after_it_was_sealed():
    """By then what has ended is acknowledged. A short one is left."""
    journal, disk, backing = log_before_memory()
    await journal.accept(call("0"))
    await journal.tidy()
    untouched = disk.numbers()
    journal.appender.segments.sealed_at = FOLDED_SOON
    looks = []
    for _ in range(4):
        await journal.tidy()
        looks.append((disk.numbers(), list(backing._calls)))

    assert [1] == untouched
    assert ([1, 2], []) == looks[0] == looks[1]
    assert ([2], [("s", "0")]) == looks[2] == looks[3]


async def test_a_call_waits_until_a_log_that_is_too_long_is_folded(monkeypatch):
    journal, _, _ = log_before_memory()
    await journal.accept(call("1"))
    monkeypatch.setattr(logged_journal, "LONGEST_LOG", 100)
    await journal.accept(call("2"))

    assert 1 not in journal.appender.segments.sealed
    assert ["1", "2"] == await requests_in(journal)


async def test_the_log_is_bounded(monkeypatch, autojump_clock):
    """A database that hangs: no new calls, but their outcomes; then calls again."""
    journal, _, _ = log_before_memory()
    await journal.accept(call("1"))

    async def hang(*_given):
        await trio.sleep_forever()

    with monkeypatch.context() as stuck:
        stuck.setattr(logged_journal, "LONGEST_LOG", 100)
        stuck.setattr(type(journal.backing), "fold", hang)
        with pytest.raises(StorageError, match="keep up") as refused:
            await journal.accept(call("2"))
        await journal.finish("s", "1", outcome())
    await journal.accept(call("2"))

    assert refused.value.retry_after_s
    assert ["1", "2"] == await requests_in(journal)


async def test_memory_does_not_grow_with_what_was_folded():
    """Nor with what is over, once its segment is gone."""
    journal, _, _ = log_before_memory()
    for request in map(str, range(50)):
        await journal.accept(call(request))
        await journal.finish("s", request, ended(int(request) + 1))
    await journal.acknowledge({"s": 25, "t": 9})
    await journal.fold()
    index = journal._index

    assert ({}, [], {}) == (index.sessions, index.over, index._numbers)


async def test_a_full_disk_refuses_calls_and_keeps_what_it_has():
    """What was written of a record that did not fit is not there, also after a kill."""
    journal, disk, backing = log_before_memory()
    await journal.accept(call("1"))
    disk.room = 30
    with pytest.raises(DiskFull, match="full"):
        await journal.accept(call("2"))
    disk.room = float("inf")
    journal.appender.reserve.spent = False
    await journal.accept(call("3"))

    assert ["1", "3"] == await requests_in(killed(disk, backing))


async def test_a_log_that_cannot_be_made_is_made_when_it_can():
    """Until then calls are refused with a cure; the job that looks after the disk is enough."""
    disk = MemoryDisk(fault=errno.EROFS)
    journal, _, _ = log_before_memory(disk)
    with pytest.raises(StorageError, match="EXAI_HOME"):
        await journal.accept(call("1"))
    fault = journal.appender.fault
    disk.fault = 0
    await journal.recover()
    healed = journal.appender.fault
    await journal.accept(call("2"))

    assert (True, None) == (isinstance(fault, StorageError), healed)
    assert ["2"] == await requests_in(journal)


async def test_a_log_that_somebody_removed_is_saved():
    """What stands in it is folded, and the rest goes to a new file."""
    journal, disk, backing = log_before_memory()
    await journal.accept(call("1"))
    disk.files.clear()
    await journal.recover()
    await journal.accept(call("2"))

    assert [("s", "1")] == list(backing._calls)
    assert ["1", "2"] == await requests_in(killed(disk, backing))


async def test_a_removed_log_that_a_write_has_found_first_is_saved_at_the_next_look():
    """The thread goes on in a new file; a kill after that look loses nothing of the old one."""
    journal, disk, backing = log_before_memory()
    await journal.accept(call("1"))
    disk.files.clear()
    await journal._thread.write(Segments.roll)
    await journal.recover()

    assert ["1"] == await requests_in(killed(disk, backing))


async def test_without_the_database_nothing_is_noted():
    """It alone says what of the log is folded already."""

    class Away(MemoryJournal):
        away = True

        async def folded(self):
            if self.away:
                raise StorageError("test")
            return await super().folded()

    journal, _, backing = log_before_memory(backing=Away())
    with pytest.raises(StorageError):
        await journal.accept(call("1"))
    backing.away = False
    await journal.accept(call("2"))

    assert ["2"] == await requests_in(journal)


async def test_a_retired_log_leaves_all_to_the_next_daemon():
    """Everything is in the database, and what is noted later is written there: the next daemon does not look for it here."""
    journal, disk, backing = log_before_memory()
    await journal.accept(call("1"))
    await journal.retire()
    left = list(backing._calls)
    successor = killed(disk, backing)
    await successor.accept(call("2", session="t"))
    await journal.finish("s", "1", outcome())
    await journal.accept(call("3"))
    with pytest.raises(NotKept):
        await journal.hand_over("s", "nobody", outcome(), call("4"))

    assert [("s", "1")] == left
    assert [call("1", outcome=outcome()), call("3")] == list((await successor.session("s")).calls)
    assert ["2"] == await requests_in(successor, "t")


async def test_one_that_could_not_be_folded_when_it_was_retired_is_before_the_next_write(
    autojump_clock,
):
    """A stalled database is no reason to write past the log."""

    class Stalled(MemoryJournal):
        stalled = True

        async def fold(self, last, over, events):
            if self.stalled:
                await trio.sleep_forever()
            await super().fold(last, over, events)

    journal, _, backing = log_before_memory(backing=Stalled())
    await journal.accept(call("1"))
    with trio.move_on_after(0.01):
        await journal.retire()
    backing.stalled = False
    await journal.finish("s", "1", outcome())

    assert [call("1", outcome=outcome())] == list((await backing.session("s")).calls)


SESSIONS, REQUESTS = st.sampled_from("st"), st.sampled_from("123")
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("accept"), SESSIONS, REQUESTS, st.booleans()),
        st.tuples(st.just("finish"), SESSIONS, REQUESTS),
        st.tuples(st.just("finish"), SESSIONS, REQUESTS),
        st.tuples(st.just("hand over"), SESSIONS, REQUESTS),
        st.tuples(st.just("run again"), SESSIONS, REQUESTS),
        st.tuples(st.just("acknowledge"), SESSIONS),
        st.tuples(st.just("no handles"), SESSIONS, st.integers(0, 40), st.sets(REQUESTS)),
        st.tuples(st.just("number"), SESSIONS),
        st.tuples(st.sampled_from(["fold", "tidy", "tidy", "kill", "tear"])),
    ),
    max_size=40,
)


@given(EVENTS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_a_log_before_the_database_is_not_to_be_seen(events):
    """Whatever happens, and whenever it is folded or killed: but for calls that are over, it is as without a log."""
    without, (journal, disk, backing) = MemoryJournal(), log_before_memory()
    journal.appender.segments.sealed_at = FOLDED_SOON
    for number, event in enumerate(events, 1):
        match event:
            case ("kill",) | ("tear",):
                for last in disk.numbers()[-1:]:
                    disk.files[last].data += b"torn" if event == ("tear",) else b""
                journal = killed(disk, backing)
                journal.appender.segments.sealed_at = FOLDED_SOON
            case ("fold",):
                await journal.fold()
            case ("tidy",):
                await journal.tidy()
            case _:
                await _done(without, journal, event, number)
    for session in ("s", "t", "call_s", "call_t"):
        expected, found = await without.session(session), await journal.session(session)

        assert (expected.calls if expected else ()) == _unswept(found)
    assert await without.unfinished() == await journal.unfinished()
    for one in (without, journal):
        await one.sweep_calls(None, 0.0)
    for session in ("s", "t", "call_s", "call_t"):
        await _compare(session, without, journal, len(events))


async def _done(without, journal, event, number):
    """The same to both, if it can be: only a call that is open ends."""
    what, session, *rest = event
    known = without._calls.get((session, *rest[:1]))
    is_open = known is not None and known.outcome is None
    for one in (without, journal):
        match what:
            case "accept":
                request, lasting = rest
                await one.accept(call(request, session=session, seq=number, lasting=lasting))
            case "finish" if is_open:
                await one.finish(session, *rest, ended(number))
            case "hand over" if is_open:
                to = call(*rest, session=f"call_{session}", lasting=True)
                await one.hand_over(session, *rest, ended(number), to)
            case "run again" if is_open:
                await one.run_again(session, *rest)
            case "acknowledge":
                await one.acknowledge({session: number})
            case "no handles":
                above, told = rest
                await one.acknowledge({session: number}, {session: NoHandles(above, tuple(told))})
            case "number" if await without.session(session):
                await one.number_from(session, number)
    await without.sweep_calls(None, 0.0)


def _unswept(found):
    """What the next sweep leaves."""
    acked = found.acked if found else 0
    calls = found.calls if found else ()
    return tuple(
        one for one in calls if one.lasting or not (one.outcome and one.outcome.seq <= acked)
    )


async def _compare(session, without, journal, last):
    expected, found = await without.session(session), await journal.session(session)

    assert (expected is None) == (found is None)
    if expected is not None:
        assert expected.calls == found.calls
        # What was acknowledged before the calls that are there may be known no more, or still.
        assert found.acked <= last
        assert expected.base in {0, found.base}


@given(st.integers(0, 2**32), st.lists(st.integers(1, 3000), min_size=1, max_size=12))
@settings(deadline=None)
async def test_with_flushes_a_power_cut_loses_nothing_that_was_noted(seed, sizes):
    """However the disk has reordered and torn what it was not asked to keep; what was being written may be there or not."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    journal, disk, backing = log_before_memory(flushes=True)
    journal.appender.segments.sealed_at = draw.choice((1, 2000, 10_000))
    for number, size in enumerate(sizes):
        await journal.accept(call(str(number), frame="x" * size))
        await journal.tidy()
    active = journal.appender.segments.active
    active.append(b"being written" * draw.randint(1, 200))
    disk.lose_power(draw)
    found = await requests_in(killed(disk, backing))

    assert [str(number) for number in range(len(sizes))] == found
