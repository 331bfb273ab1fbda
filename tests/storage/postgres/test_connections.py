"""A few connections shared by all who ask: which are used again, what is told while the database is away, and what of a fault is said."""

import socket

import attrs
import psycopg
import pytest
import trio
from psycopg.waiting import Ready, Wait

from exai_trio.errors import StorageError
from exai_trio.storage.postgres import database as module, trio_connection
from exai_trio.storage.postgres.database import CONNECTIONS, open_database
from exai_trio.storage.postgres.trio_connection import AnswerUnheard, DatabaseAway, DataRefused


@attrs.define(eq=False)
class Connection:
    """Answers what the server says next: rows, a fault, or seconds that it takes."""

    server: "Server"
    is_usable: bool = True

    async def ask(self, statement, values):
        self.server.asked.append((statement, *values))
        said = self.server.says.pop(0) if self.server.says else []
        if isinstance(said, Exception):
            raise said
        if isinstance(said, float):
            self.is_usable = False
            await trio.sleep(said)
            self.is_usable = True
            return []
        await trio.lowlevel.checkpoint()
        return said

    def end(self):
        self.server.ended.append(self)


@attrs.define
class Server:
    says: list = attrs.field(factory=list)
    asked: list = attrs.field(factory=list)
    opened: list = attrs.field(factory=list)
    ended: list = attrs.field(factory=list)

    async def connect(self, _url):
        await trio.lowlevel.checkpoint()
        self.opened.append(Connection(self))
        return self.opened[-1]


@pytest.fixture
def server(monkeypatch):
    there = Server()
    monkeypatch.setattr(module, "connect", there.connect)
    return there


@pytest.fixture
async def database(server):
    async with open_database("postgresql://db", lambda: 1000.0) as opened:
        yield opened


async def test_a_connection_is_used_again_as_long_as_it_can_be(database, server):
    """One that the server has hung up is ended, not asked; leaving ends the idle ones."""
    for _ in range(3):
        await database.ask("select 1")
    once = len(server.opened)
    server.opened[0].is_usable = False
    await database.ask("select 2", "value")
    database.close()

    assert (1, 2) == (once, len(server.opened))
    assert server.opened == server.ended
    assert ("select 2", "value") == server.asked[-1]


async def test_no_more_connections_than_there_are_places(database, server, autojump_clock):
    """However many ask at once; each gets its turn."""
    server.says = [0.5] * 5 * CONNECTIONS
    with trio.fail_after(9):
        async with trio.open_nursery() as asking:
            for _ in range(5 * CONNECTIONS):
                asking.start_soon(database.ask, "select 1")

    assert CONNECTIONS == len(server.opened)
    assert 5 * CONNECTIONS == len(server.asked)


async def test_while_it_is_away_it_is_asked_once_a_second(database, server, autojump_clock):
    """Others are told so at once; an answer makes it well again."""
    server.says = [AnswerUnheard("gone"), AnswerUnheard("still gone")]
    for told, was_asked in (
        ("gone", True),
        ("gone", False),
        ("still gone", True),
        ("still gone", False),
    ):
        with pytest.raises(DatabaseAway, match=f"^{told}") as away:
            await database.ask("select 1")
        assert was_asked == isinstance(away.value, AnswerUnheard)
        await trio.sleep(0.6)
    await trio.sleep(1)
    await database.ask("select 1")

    assert 3 == len(server.asked)
    assert database.fault is None


async def test_one_that_hangs_is_given_up_and_its_connection_ended(database, server, autojump_clock):  # fmt: skip
    server.says = [60.0]
    with pytest.raises(AnswerUnheard, match="does not answer within 10 s"):
        await database.ask("select 1")

    assert server.opened == server.ended


async def test_what_is_refused_makes_it_not_away(database, server):
    """The data were wrong; the next question is asked at once, over the same connection."""
    server.says = [DataRefused("no")]
    with pytest.raises(DataRefused):
        await database.ask("select 1")
    await database.ask("select 2")

    assert (2, 1) == (len(server.asked), len(server.opened))


@pytest.mark.parametrize(("theirs", "ahead"), [(999.0, 0.0), (400.0, 600.0), (1600.0, -600.0)])
async def test_clocks_that_are_far_apart_are_noted(database, server, theirs, ahead):
    """Near ones are taken for the same."""
    server.says = [[({"now": theirs, "version": 7},)]]
    await database.look()

    assert (ahead, 7) == (database.ahead_s, database.version)


async def test_a_database_that_was_never_migrated_is_of_version_0(database, server):
    """It is not away for that; what else is wrong with it is told."""
    server.says = [DatabaseAway("no function", details={"sqlstate": "42883"})]
    await database.look()
    found = (database.version, database.fault)
    server.says = [DatabaseAway("no permission", details={"sqlstate": "42501"})]
    with pytest.raises(DatabaseAway, match="no permission"):
        await database.look()

    assert (0, None) == found


TOLD = {
    "22P05": (DataRefused, "PostgreSQL refuses this (22P05)."),
    "23505": (DataRefused, "PostgreSQL refuses this (23505)."),
    "40001": (DatabaseAway, "PostgreSQL cannot be used (40001)."),
}


@pytest.mark.parametrize("code", TOLD)
def test_faults_are_told_by_their_codes(code):
    """What psycopg quotes of rows and passwords is not."""
    kind, text = TOLD[code]
    found = trio_connection.told(psycopg.errors.lookup(code)("the secret row"))

    assert (kind, text, {"sqlstate": code}) == (type(found), found.message, found.details)


@pytest.mark.parametrize("code", ["", "08006", "57P01", "40001", "53100"])
def test_what_was_sent_to_a_server_that_went_may_be_done(code):
    """A server that answers with any other fault has undone it; what was not sent is not done."""
    fault = psycopg.errors.lookup(code)("gone") if code else psycopg.OperationalError("gone")
    is_doubtful = code in {"", "08006", "57P01"}

    assert is_doubtful == isinstance(trio_connection.told(fault, asked=True), AnswerUnheard)
    assert not isinstance(trio_connection.told(fault), AnswerUnheard)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(psycopg.OperationalError, "no connection"), (psycopg.InterfaceError, "InterfaceError")],
)
def test_faults_without_a_code_are_told_by_their_kind(fault, reason):
    found = trio_connection.told(fault("host=db password=secret"))

    assert f"PostgreSQL cannot be used ({reason})." == found.message


@pytest.fixture
def sockets():
    """Both ends of a connection."""
    ends = socket.socketpair()
    yield ends
    for end in ends:
        end.close()


def waits(*steps):
    """As psycopg writes its protocol: it says what it waits for, and is told what came."""
    told = ()
    for step in steps:
        told += ((yield step),)
    return told


@pytest.mark.parametrize("names_it", [True, False])
async def test_the_protocol_is_told_what_its_socket_is_ready_for(sockets, names_it):
    """To read, to write, or for either: whichever comes first. A connection being made says at each step which socket it is."""
    here, there = sockets
    number = here.fileno()
    wanted = (Wait.W, Wait.RW, Wait.R)
    there.send(b"x")
    steps = waits(*((number, what) for what in wanted)) if names_it else waits(*wanted)
    came = await trio_connection._awaited(steps, None if names_it else number)

    assert (Ready.W, Ready.R) == (came[0], came[2])
    assert came[1] & Ready.RW


async def test_a_server_that_says_nothing_is_only_written_to(sockets):
    """What waits for either is not held up."""
    came = await trio_connection._awaited(waits(Wait.RW), sockets[0].fileno())

    assert (Ready.W,) == came


def test_a_connection_on_which_something_has_come_is_noticed(sockets):
    """Between two statements that is the server's farewell."""
    here, there = sockets
    before = trio_connection._has_something_to_read(here.fileno())
    there.close()

    assert (False, True) == (before, trio_connection._has_something_to_read(here.fileno()))


async def connections_to(url, monkeypatch, *answers):
    """Which hosts were tried, each answering so in turn; and what came of it."""
    tried, left = [], list(answers)

    async def connected(one_host):
        await trio.lowlevel.checkpoint()
        tried.append(psycopg.conninfo.conninfo_to_dict(one_host)["host"])
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(trio_connection, "_connected", connected)
    try:
        return tried, await trio_connection.connect(url)
    except StorageError as fault:
        return tried, fault.message


async def test_the_first_host_that_answers_is_taken(monkeypatch):
    """In their order; what the last said is told if none does."""
    url = "postgresql://a,b/db?hostaddr=127.0.0.1,127.0.0.2"
    second = await connections_to(url, monkeypatch, DatabaseAway("a is away"), "connected")
    none = await connections_to(url, monkeypatch, DatabaseAway("a is away"), DatabaseAway("b too"))

    assert (["a", "b"], "connected") == second
    assert (["a", "b"], "b too") == none


async def test_a_url_that_is_none_is_told_without_what_stands_in_it(monkeypatch):
    tried, told = await connections_to("postgresql://[hidden/x", monkeypatch)

    assert ([], "PostgreSQL cannot be used (ProgrammingError).") == (tried, told)


async def test_a_host_that_does_not_answer_is_given_up(monkeypatch, autojump_clock):
    async def silent(_steps):
        await trio.sleep_forever()

    monkeypatch.setattr(trio_connection, "_awaited", silent)
    with pytest.raises(DatabaseAway, match="does not answer within 5 s"):
        await trio_connection._connected("host=a")
