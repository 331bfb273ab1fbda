"""The feed on a real socket: the older commands, junk, who may follow, and who does not read."""

import json
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import trio

from exai_trio.daemon.http import ports
from exai_trio.daemon.http.feed import feed as feed_module
from exai_trio.daemon.http.feed.feed_commands import BadCommand, read_command
from exai_trio.daemon.lifetime import watched_daemon
from exai_trio.observability.events import BugsSeen
from exai_trio.transport.websocket import Limits, PeerGone, connect
from exai_trio.wire.messages import CallResult

TOKEN = "a-token-of-ours-that-is-long"
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
STATS = {
    "connection_type", "total_events", "total_sent_bytes", "total_received_bytes", "total_bytes", "total_errors",
    "avg_response_time_ms", "active_connections", "last_event_timestamp",
}  # fmt: skip


@pytest.fixture
def feeding(house):
    """`async with feeding() as (daemon, feed, port):` a daemon whose pages are served."""

    @asynccontextmanager
    async def opened(**settings):
        async with house(ws_token=TOKEN, **settings) as daemon, trio.open_nursery() as serving:
            watched = watched_daemon(daemon.parts, daemon.tree)
            gate = ports.gate_of(watched, daemon.server.names)
            feed = ports.feed_of(watched, gate)
            serving.start_soon(feed.run)
            app = ports.pages_app(watched, gate, feed)
            listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
            serving.start_soon(ports.serve, app, listeners)
            with trio.fail_after(20):
                yield daemon, feed, listeners[0].socket.getsockname()[1]
            serving.cancel_scope.cancel()

    return opened


def following(port):
    return connect("127.0.0.1", port, Limits(), "/ws")


async def _send_and_hear_out(socket, text):
    await socket.send(text)
    while True:
        await socket.receive()


async def hear(socket, kind):
    """The next frame of this type."""
    while (heard := json.loads(await socket.receive()))["type"] != kind:
        pass
    return heard


async def test_the_older_commands_are_answered(feeding, monkeypatch):
    """Each frame has its type, the time, and what the command gave."""
    monkeypatch.setattr(feed_module, "_TICK_S", 0.05)
    async with feeding() as (daemon, _, port), following(port) as socket:
        first = json.loads(await socket.receive())
        async with daemon.connect(token=TOKEN) as (client, _):
            await client.nap()
            await client.hear_until(CallResult)
        await daemon.parts.keeping.flush_calls()
        answers = {}
        for command, kind in (
            ({"command": "get_stats", "connection_type": "kimi"}, "stats"),
            ({"command": "get_recent_events", "limit": 5}, "recent_events"),
            ({"command": "get_historical_data", "hours": 2}, "historical_data"),
            ({"command": "get_time_series", "hours": 1, "interval_minutes": 5}, "time_series_data"),
            ({"command": "export", "path": "/etc/passwd", "hours": 3}, "export_complete"),
        ):
            await socket.send(json.dumps(command))
            answers[kind] = await hear(socket, kind)
        pushed = [
            await hear(socket, kind) for kind in ("session_metrics", "semaphore_metrics", "websocket_health")
        ]  # fmt: skip

    assert {"initial_stats"} == {first["type"]}
    assert {"stats", "session_metrics", "recent_events", "timestamp"} <= first.keys()
    assert {"websocket", "redis", "supabase", "kimi", "glm"} == first["stats"].keys()
    assert answers["stats"]["stats"].keys() == STATS
    events = answers["recent_events"]["events"]
    assert "CallEnded" in {event["event"] for event in events}
    assert not {"principal", "session", "project"} & {key for event in events for key in event}
    assert [1] == [point["total_events"] for point in answers["time_series_data"]["data"]]
    assert [1] == [point["total_events"] for point in answers["historical_data"]["data"]]
    assert "/api/export?hours=3" == answers["export_complete"]["path"]
    assert all("data" in each and "timestamp" in each for each in pushed)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("no json", "JSON"), ("[1]", "object"), ('{"command": "rm"}', "unknown"), ("{}", "unknown"), ('{"command": 7}', "unknown"),
        ('{"command": "get_time_series", "hours": -1}', "hours"), ('{"command": "get_time_series", "hours": 1e9}', "hours"),
        ('{"command": "get_time_series", "hours": "1"}', "hours"), ('{"command": "get_time_series", "interval_minutes": 0}', "interval"),
        ('{"command": "get_recent_events", "limit": 1e6}', "limit"), ('{"command": "get_stats", "connection_type": "x"}', "connection_type"),
        ('{"command": "subscribe", "topics": "overview"}', "topics"), ('{"command": "subscribe", "topics": [{}]}', "topics"),
        ('{"command": "auth"}', "token"), ("[" * 50_000, "JSON"),
    ],
)  # fmt: skip
def test_junk_is_answered_by_what_is_wrong(text, named):
    with pytest.raises(BadCommand, match=named):
        read_command(text)


async def test_junk_on_the_wire_costs_an_answer_or_the_connection(feeding):
    """It lives after words that are no command; what is too large closes it, by its code; and others live on."""
    async with feeding() as (_, _, port), following(port) as other:
        async with following(port) as socket:
            await socket.send("{")
            wrong = await hear(socket, "error")
            await socket.send(json.dumps({"command": "pause"}))
            await hear(socket, "paused")
            with pytest.raises(PeerGone, match="1009"):
                await _send_and_hear_out(socket, "x" * 10 * 2**20)
        await hear(other, "session_metrics")

    assert "JSON" in wrong["message"]


async def test_a_tick_is_one_write(feeding, monkeypatch):
    """However many frames it has: each write is a turn of the loop."""
    monkeypatch.setattr(feed_module, "_TICK_S", 0.05)
    writes = []
    async with feeding() as (daemon, feed, port), following(port) as socket:
        await hear(socket, "session_metrics")
        (follower,) = feed.followers
        stream = follower.exchange.scope["state"]["transport"]
        write = stream.send_all

        async def noted(data):
            writes.append(bytes(data))
            await write(data)

        monkeypatch.setattr(stream, "send_all", noted)
        for _ in range(5):
            daemon.parts.context.events.publish(BugsSeen(count=1))
        for _ in range(5):
            await hear(socket, "event")
        await hear(socket, "session_metrics")

    assert {0, 5} == {write.count(b"BugsSeen") for write in writes} | {0}


async def test_beyond_32_followers_are_told_to_come_back(feeding):
    async with feeding() as (_, feed, port), AsyncExitStack() as all_:
        for _ in range(feed_module.MOST_FOLLOWERS):
            await all_.enter_async_context(following(port))
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(UPGRADE)
            head = (await stream.receive_some()).lower()
        live = len(feed.followers)

    assert b"503" in head.split(b"\r\n")[0]
    assert b"retry-after: 5" in head
    assert 32 == live


async def test_who_never_reads_is_cut(feeding, monkeypatch):
    """Its writes are shielded: only closing its socket ends them."""
    monkeypatch.setattr(feed_module, "_UNREAD_S", 0.3)
    monkeypatch.setattr(feed_module, "_TICK_S", 0.05)
    async with feeding() as (_, feed, port), following(port) as reads, AsyncExitStack() as there:
        await hear(reads, "initial_stats")
        ours = set(feed.followers)
        deaf = await there.enter_async_context(await trio.open_tcp_stream("127.0.0.1", port))
        await deaf.send_all(UPGRADE)
        while len([one for one in feed.followers if one.topics]) < 2:
            await hear(reads, "session_metrics")
        for one in feed.followers - ours:
            one.offer("session_metrics", ["x" * 2**16] * 400)
        while len(feed.followers) > 1:
            await reads.receive()

        assert len(feed.followers) == 1


async def test_who_is_elsewhere_shows_who_it_is_first(feeding, monkeypatch):
    """Nothing is told before; a token in the first message is enough."""
    monkeypatch.setattr("exai_trio.daemon.http.gate.is_loopback", lambda _host: False)
    async with feeding() as (_, _, port), following(port) as socket:
        first = json.loads(await socket.receive())
        await socket.send(json.dumps({"command": "get_stats"}))
        second = json.loads(await socket.receive())
        await socket.send(json.dumps({"command": "auth", "token": TOKEN}))
        third = json.loads(await socket.receive())
        fourth = json.loads(await socket.receive())

    assert ["auth_required", "error", "auth", "initial_stats"] == [
        each["type"] for each in (first, second, third, fourth)
    ]
