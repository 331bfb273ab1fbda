"""What rows of PostgreSQL become: conversations by the pages, calls and sessions, each by our clock; and which faults have words of ours."""

import attrs
import pytest
import trio
from kept_calls import call, outcome

from exai_trio.errors import StorageError
from exai_trio.storage.base import Step, Turn
from exai_trio.storage.hosted.outbox_entries import PAGE_LENGTH
from exai_trio.storage.journal_events import Accepted, Finished, HandedOver, NumberedFrom, RunAgain
from exai_trio.storage.memory.conversation_store import MemoryStore
from exai_trio.storage.postgres.conversation_store import PostgresConversations
from exai_trio.storage.postgres.journal import PostgresJournal
from exai_trio.storage.postgres.trio_connection import DataRefused
from exai_trio.storage.shared.shared_calls import UNNUMBERED, CallMoved, SessionMoved
from exai_trio.storage.sqlite.error_kinds import NotKept

AHEAD_S = 100.0  # of our clock


@attrs.define
class Database:
    """Says what the test tells it, in turn."""

    says: list = attrs.field(factory=list)
    asked: list = attrs.field(factory=list)
    ahead_s: float = AHEAD_S

    async def ask(self, statement, *values):
        await trio.lowlevel.checkpoint()
        self.asked.append((statement, *values))
        answer = self.says.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def page(messages=(), steps=(), principal="owner", expires_at=500.0):
    told = {
        "principal": principal, "created_at": 1.0, "expires_at": expires_at,
        "messages": list(messages), "steps": list(steps),
    }  # fmt: skip
    return [(told,)]


def message(number, role="user"):
    return [number, role, f"text {number}", {"tool": "chat"}, None, 2.0]


@pytest.fixture
def database():
    return Database()


@pytest.fixture
def conversations(database):
    return PostgresConversations(database, MemoryStore())


async def test_a_long_conversation_is_read_page_by_page(conversations, database):
    """Each asks for what is beyond the last; times are ours."""
    first = [message(number) for number in range(1, PAGE_LENGTH + 1)]
    database.says = [page(first), page([message(PAGE_LENGTH + 1, "assistant")])]
    found = await conversations.load("c", 300.0)

    assert PAGE_LENGTH + 1 == len(found.turns)
    assert ["text 1", f"text {PAGE_LENGTH + 1}"] == [found.turns[0].text, found.turns[-1].text]
    assert (101.0, 600.0, 102.0) == (found.created_at, found.expires_at, found.turns[0].at)
    assert [(0, 0), (PAGE_LENGTH, 0)] == [asked[2:4] for asked in database.asked]


@pytest.mark.parametrize(
    "told", [[(None,)], page([message(1)], principal="ann"), page([message(1)], expires_at=200.0)]
)
async def test_what_is_unknown_anothers_or_over_is_not_there(conversations, database, told):
    """By our clock: it ends at 200 by theirs, which is 300 by ours."""
    database.says = [told, told]

    assert await conversations.load("c", 300.0) is None
    assert () == await conversations.steps("c", 300.0)


async def test_steps_come_with_what_was_added(conversations, database):
    """As many as there were then, though others have added since."""
    kept = [[n, "debug", {"step": n}, None, 2.0] for n in (1, 2, 3)]
    database.says = [[(2,)], page(steps=kept)]
    found = await conversations.add_step("c", Step(tool="debug", at=1.0, data={}), 300.0, 400.0)

    assert [1, 2] == [step.data["step"] for step in found]
    assert 102.0 == found[0].at


@pytest.mark.parametrize(
    ("code", "words"),
    [("23514", "belongs to somebody else"), ("22P05", "refused")],
)
async def test_another_principals_conversation_is_not_written_to(conversations, database, code, words):  # fmt: skip
    """That has words of ours; any other refusal stays as it is."""
    database.says = [DataRefused("refused", details={"sqlstate": code})]
    with pytest.raises(StorageError, match=words) as fault:
        await conversations.append("c", (Turn(role="user", text="x", tool="chat", at=1.0),), 1.0, 2.0)  # fmt: skip

    assert isinstance(fault.value, DataRefused) == (code != "23514")


async def test_times_are_given_by_their_clock_and_taken_by_ours(conversations, database):
    """Which time was right is noted here first."""
    database.says = [[("c",)], [(3,)], [(400.0,)], [(None,)]]
    kept = await conversations.kept_under(("k1",), 300.0)
    gone = await conversations.sweep(300.0)
    newest = [await conversations.newest_at() for _ in range(2)]
    await conversations.note_time(9.0)

    assert ("c", 3, [500.0, None]) == (kept, gone, newest)
    assert (200.0, 200.0) == (database.asked[0][3], database.asked[1][1])
    assert 9.0 == await conversations.newest_at()


@attrs.define
class Writer:
    became: str = "kept"
    entries: list = attrs.field(factory=list)

    async def write(self, entry):
        await trio.lowlevel.checkpoint()
        self.entries.append(entry)
        return self.became


@pytest.fixture
def writer():
    return Writer()


@pytest.fixture
def journal(database, writer):
    return PostgresJournal(database, "home", writer).under("s", 7)


RERUN = RunAgain("s", "r1")


@pytest.mark.parametrize(
    ("became", "event", "fault"),
    [
        ("superseded", Accepted(call("r1")), SessionMoved),
        ("unknown", RERUN, NotKept),
        ("stands", RERUN, CallMoved),
    ],
)
async def test_what_another_daemon_has_is_said(journal, writer, became, event, fault):
    """The session, or the call; and what nobody keeps."""
    writer.became = became
    with pytest.raises(fault):
        await journal.note(event)


@pytest.mark.parametrize("became", ["unknown", "stands"])
async def test_a_call_that_is_noted_anew_is_no_fault(journal, writer, became):
    """It is one only for a call that is to be run again."""
    writer.became = became
    await journal.note(Accepted(call("r1")))

    assert 1 == len(writer.entries)


async def test_each_event_is_written_under_the_epoch_of_its_session(journal, writer):
    """What is kept under any other name is nobody's to number."""
    handed = attrs.evolve(call("r1"), session="s", attempts=4)
    events = (
        Accepted(handed),
        Accepted(attrs.evolve(handed, session="other")),
        NumberedFrom("s", 3),
        HandedOver("s", "r1", outcome(), handed),
        RERUN,
    )
    for event in events:
        await journal.note(event)

    assert [7, 0, 7, 7] == [entry.epoch for entry in writer.entries[:4]]
    assert 4 == writer.entries[3].attempt


ROW = ("r1", "owner", True, 3, "frame", ["/root"], 60.0, 5.0, 1, False)


async def test_a_session_is_its_calls_with_their_outcomes(journal, database):
    """An outcome that its owner has not told yet is as if it were not there; a session without a row has begun."""
    database.says = [
        [(*ROW, 4, 6.0, "done"), (*ROW, UNNUMBERED, 6.0, "untold"), (*ROW, None, None, None)],
        [],
    ]
    found = await journal.session("s")
    outcomes = [one.outcome and one.outcome.frame for one in found.calls]

    assert (["done", None, None], 0, 0) == (outcomes, found.acked, found.base)
    assert ("s", "r1", ("/root",)) == (found.calls[0].session, found.calls[0].request, found.calls[0].roots)  # fmt: skip


async def test_names_of_calls_are_told_in_order(journal, database):
    """Of a principal; of this home; and of none."""
    database.says = [[("s", "r1"), ("s", "r2")], [("s",)], [], [(5,)]]
    told = (await journal.names("owner"), await journal.unfinished(), await journal.session("x"))

    assert ((("s", "r1"), ("s", "r2")), ("s",), None) == told
    assert 5 == await journal.sweep_calls(1.0, 2.0)


@pytest.mark.parametrize(("became", "kept_as"), [("untold", "untold"), ("stands", "stands"), ("unknown", "kept")])  # fmt: skip
async def test_what_a_finish_became_is_told(journal, writer, became, kept_as):
    writer.became = became
    entry = journal._entry(Finished("s", "r1", outcome()))

    assert kept_as == await journal.finish_under(entry)
