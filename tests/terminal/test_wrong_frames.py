"""Wrong input gets a typed error, and nothing else changes."""

import json
from collections import Counter
from contextlib import asynccontextmanager

import attrs
import jwt
import pytest
import trio
from simulated.world import LIMITS, SESSION, TOKEN, Keeper, Keepers, Program, Silence, World

from exai_trio.config import Config
from exai_trio.daemon.connections.auth import Authentication, Tokens
from exai_trio.daemon.terminals.terminal_endpoint import TerminalEndpoint
from exai_trio.daemon.terminals.terminals import Terminals
from exai_trio.terminal.keeper import keeper_frames
from exai_trio.transport.websocket import PeerGone, accept, client_on
from exai_trio.wire.terminal_errors import TABLE, as_data
from exai_trio.wire.terminal_messages import said, typed

SECRET = "s" * 40
ADMIN = {"role": "admin", "scope": "other terminal"}


@attrs.define(eq=False)
class Place:
    """A daemon with one session, whose principal is "token"; its program says nothing and notes what is typed."""

    world: World
    endpoint: TerminalEndpoint
    connections: trio.Nursery

    @asynccontextmanager
    async def connected(self):
        ours, theirs = self.world.line().ends()
        self.connections.start_soon(self._serve, theirs)
        async with client_on(ours, "localhost", LIMITS, "/terminal") as socket:
            yield socket

    async def _serve(self, stream):
        try:
            async with accept(stream, LIMITS, lambda _: None) as socket:
                await self.endpoint.serve(socket, "here")
        except PeerGone:
            pass

    @asynccontextmanager
    async def attached(self, **fields):
        async with self.connected() as socket:
            await socket.send(said("hello", **{"token": TOKEN, "session_id": SESSION, "client_id": "c"} | fields))  # fmt: skip
            assert json.loads(await socket.receive())["op"] == "attached"
            yield socket

    async def refused(self, frame):
        """The code of the error, and the one that the connection is closed with."""
        async with self.connected() as socket:
            await socket.send(frame)
            fault = json.loads(await socket.receive())
            with pytest.raises(PeerGone) as gone:
                await socket.receive()
        assert fault["op"] == "error"
        row = TABLE[fault["code"]]
        assert (fault["recoverable"], fault["action"]) == (row.recoverable, row.action)
        return fault["code"], gone.value.code

    @property
    def typed(self):
        return bytes(self.world.keeper.program.heard)


@pytest.fixture
async def place(autojump_clock, nursery):
    world = World(0)
    world.keeper = Keeper(Program(0, world.dice), awaited=10**6)
    nursery.start_soon(world.keeper.run)
    config = Config(ws_token=TOKEN, jwt_secret_key=SECRET, ws_hello_timeout=5.0)
    terminals = Terminals(config=config, keepers=Keepers(world.keeper, world), now=lambda: 1e9, audit=Silence())  # fmt: skip
    await nursery.start(terminals.run)
    yield Place(world, TerminalEndpoint(terminals, Authentication(Tokens(config, now=lambda: 1e9)), lambda: 1e9), nursery)  # fmt: skip
    nursery.cancel_scope.cancel()


def hello(**fields):
    return said("hello", **{"token": TOKEN, "session_id": SESSION, "client_id": "c"} | fields)


def token_of(**claims):
    return jwt.encode({"sub": "ann", "exp": 2e9, **claims}, SECRET)


@pytest.mark.parametrize(
    ("frame", "code", "closed"),
    [
        ("no json", "INVALID_REQUEST", 1008),
        ("[]", "INVALID_REQUEST", 1008),
        ('{"type": ["hello"]}', "INVALID_REQUEST", 1008),
        (said("resize", data={"cols": 1, "rows": 1}), "INVALID_REQUEST", 1008),
        (hello(client_id=""), "INVALID_REQUEST", 1008),
        (hello(session_id=f"{SESSION}_project"), "INVALID_SESSION_ID", 1002),
        (hello(session_id=f"{SESSION}\n"), "INVALID_SESSION_ID", 1002),
        (hello(session_id="../../etc"), "INVALID_SESSION_ID", 1002),
        (hello(session_id="session_1790000000000_nosuchsession"), "SESSION_NOT_FOUND", 4004),
        (hello(token=None), "AUTH_ERROR", 4003),
        (hello(token="wrong"), "AUTH_ERROR", 4003),
        (hello(token=None, session="cookie"), "AUTH_ERROR", 4003),
        (hello(token=None, jwt=token_of()), "NOT_ALLOWED", 1008),
        (hello(token=None, jwt=token_of(scope="terminals")), "NOT_ALLOWED", 1008),
        (hello(token=None, jwt=token_of(scope="terminal")), "SESSION_NOT_FOUND", 4004),
        (said("create", token=TOKEN, data={"project_id": "no uuid"}), "INVALID_REQUEST", 1008),
        (said("create", token=TOKEN, data={"type": "root"}), "INVALID_REQUEST", 1008),
        (said("create", token=TOKEN, data={"cols": 100_000}), "INVALID_REQUEST", 1008),
        (said("create", token=TOKEN, data={"tab_name": "a\x1b]0;b"}), "INVALID_REQUEST", 1008),
        (said("create", token=TOKEN, data={"command": ["a\0b"]}), "INVALID_REQUEST", 1008),
        (said("create", token=TOKEN, data={"command": ["/no/such/program"]}), "NOT_STARTED", 1011),
        (said("create", token=TOKEN, data={"project_path": "/no/such"}), "NOT_STARTED", 1011),
        (said("create", token=TOKEN, data={"project_path": "relative"}), "INVALID_REQUEST", 1008),
        (said("create", jwt=token_of(scope="x"), data={}), "NOT_ALLOWED", 1008),
        (said("kill", token=TOKEN, session_id="*"), "INVALID_SESSION_ID", 1002),
    ],
)  # fmt: skip
async def test_a_first_frame_that_is_wrong_is_refused(place, autojump_clock, frame, code, closed):
    assert await place.refused(frame) == (code, closed)
    async with place.attached() as socket:  # all else is as it was
        await socket.send(typed(b"x", 1))
        while place.typed != b"x":
            await trio.sleep(0.1)


async def test_attaching_beyond_the_output_or_in_an_impossible_size_is_refused(
    place, autojump_clock
):
    for wrong in ({"offset": 1}, {"offset": -1}, {"cols": 0}, {"rows": 100_000}):
        async with place.connected() as socket:
            await socket.send(hello(**wrong))
            assert json.loads(await socket.receive())["code"] == "INVALID_REQUEST"
    assert not place.world.keeper.session.viewers
    assert place.world.keeper.session.size == (80, 24)


@pytest.mark.parametrize(
    "frame",
    [
        "no json",
        b"bytes",
        hello(),
        said("resize", data={"cols": 0, "rows": 10}),
        said("resize", data={"cols": 100_000, "rows": 10}),
        said("ack", data={"offset": 5}),
        said("ack", data={"offset": "x"}),
        said("reconnect", data={"offset": 9}),
        said("signal", data={"name": "STOP"}),
        said("input", data="x"),
        said("input", data=5, metadata={"sequence": 1}),
        said("input", data={"base64": "?"}, metadata={"sequence": 1}),
        said("input", data="x", metadata={"sequence": 0}),
        said("input", data="x", metadata={"sequence": 3}),
        said("input", data="x", sessionId="session_1790000000000_another", metadata={"sequence": 1}),
        said("no such type"),
    ],
)  # fmt: skip
async def test_a_later_frame_that_is_wrong_changes_nothing(place, autojump_clock, frame):
    async with place.attached() as socket:
        await socket.send(frame)
        fault = json.loads(await socket.receive())
        assert (fault["op"], fault["code"]) == ("error", "INVALID_REQUEST")
        await socket.send(typed(b"y", 1))
        assert json.loads(await socket.receive()) == {"op": "taken", "n": 1}
    assert place.typed == b"y"
    assert place.world.keeper.session.size == (80, 24)


async def test_numbers_that_go_back_are_taken_for_repeated(place, autojump_clock):
    async with place.attached() as socket:
        await socket.send(typed(b"a", 1), typed(b"b", 2))
        while json.loads(await socket.receive())["n"] < 2:
            pass
        await socket.send(typed(b"a", 1))
        assert json.loads(await socket.receive()) == {"op": "taken", "n": 2}
    assert place.typed == b"ab"


async def test_a_frame_that_is_too_large_closes(place, autojump_clock):
    async with place.attached() as socket:
        await socket.send(typed(b"x" * 1_100_000, 1))
        with pytest.raises(PeerGone) as gone:
            await socket.receive()
    assert gone.value.code == 1009
    assert place.typed == b""


async def test_who_says_nothing_is_closed(place, autojump_clock):
    async with place.connected() as socket:
        with pytest.raises(PeerGone) as gone:
            await socket.receive()
    assert gone.value.code == 4002


async def test_a_session_of_somebody_else_is_not_to_be_found(place, autojump_clock):
    async def listed(**shown):
        async with place.connected() as socket:
            await socket.send(said("list", **shown))
            return json.loads(await socket.receive())["sessions"]

    async with place.attached():
        assert len(await listed(token=TOKEN)) == 1
        assert await listed(jwt=token_of(scope="terminal")) == []
        assert len(await listed(jwt=token_of(**ADMIN))) == 1
    assert await place.refused(said("kill", jwt=token_of(scope="terminal"), session_id=SESSION)) == ("SESSION_NOT_FOUND", 4004)  # fmt: skip


async def test_who_only_reads_may_neither_type_nor_resize(place, autojump_clock):
    async with place.attached(mode="ro", cols=10) as socket:
        for frame in (typed(b"x", 1), said("resize", data={"cols": 9, "rows": 9}), said("signal", data={"name": "INT"}), said("clear")):  # fmt: skip
            await socket.send(frame)
            assert json.loads(await socket.receive())["code"] == "NOT_ALLOWED"
    assert (place.typed, place.world.keeper.session.size) == (b"", (80, 24))


async def test_clients_are_told_to_go_elsewhere_and_the_session_goes_on(place, autojump_clock):
    async with place.attached() as socket:
        place.endpoint.leave()
        assert json.loads(await socket.receive())["reason"] == "draining"
        with pytest.raises(PeerGone) as gone:
            await socket.receive()
    assert gone.value.code == 1012
    assert place.world.keeper.session.exit is None


async def test_a_keeper_that_tells_nonsense_takes_nobody_along(place, autojump_clock, monkeypatch):
    """Whoever is attached is told to come back, and the daemon calls the keeper again."""
    async with place.attached() as socket:
        monkeypatch.setattr(keeper_frames, "text", lambda fields: b"\0\0\0\5\1[no]\n")
        place.world.keeper.peers[0].tell(op="described")
        place.world.keeper.peers[-1].viewer.tell(op="resized")
        place.world.keeper.change.tell()
        assert json.loads(await socket.receive())["op"] == "bye"
    monkeypatch.undo()
    async with place.attached():
        pass


@attrs.define(eq=False)
class Bare:
    """A client without a line: it has said its hello, and reads nothing more."""

    said: str
    heard: list = attrs.field(factory=list)

    async def receive(self):
        await trio.lowlevel.checkpoint()
        return self.said

    async def send(self, *frames):
        await trio.lowlevel.checkpoint()
        self.heard += [json.loads(frame) for frame in frames]

    async def close(self, code, reason):
        await trio.lowlevel.checkpoint()

    async def relay(self, take):
        await trio.sleep_forever()

    async def answers_ping(self, within_s):
        return True


async def test_of_a_thousand_attaches_in_a_second_those_that_are_too_many_are_told_to_come_back(
    place, autojump_clock
):
    """The session has as many clients as it may, who is too many hears when to try again, and a second later all is as it was."""
    clients = [Bare(hello(client_id=f"c{number}")) for number in range(1000)]
    began = trio.current_time()
    async with trio.open_nursery() as crowd:
        for client in clients:
            crowd.start_soon(place.endpoint.serve, client, "here")
        while not all(client.heard for client in clients):
            await trio.sleep(0.01)
        took = trio.current_time() - began
        counted = Counter(client.heard[0].get("code", "attached") for client in clients)
        viewers = len(place.world.keeper.session.viewers)
        crowd.cancel_scope.cancel()
    await trio.sleep(1)

    assert 64 == viewers == counted["attached"]
    assert 100 <= viewers + counted["SESSION_LIMIT"] <= 120 + 20 * took
    assert 1000 == sum(counted[code] for code in ("attached", "SESSION_LIMIT", "CONNECTION_ERROR"))
    async with place.attached():
        pass


def test_the_table_has_one_recovery_for_each_code():
    assert len({row["code"] for row in as_data()}) == len(as_data()) > 8
    assert json.loads(json.dumps(as_data())) == as_data()
