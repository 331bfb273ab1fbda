"""WebSocket connections over memory streams and loopback sockets."""

import pytest
import trio
import trio.testing
from trio.testing import memory_stream_pair
from wsproto import ConnectionType, WSConnection
from wsproto.events import CloseConnection, Ping, Request

from exai_trio.transport.websocket import (
    GOING_AWAY,
    Limits,
    NotListening,
    PeerGone,
    Unreachable,
    accept,
    client_on,
    connect,
)
from exai_trio.wire.hosts import Refusal

LIMITS = Limits(max_bytes=1000, send_s=2.0, close_s=1.0)


def everyone(_handshake):
    return None


async def echo(stream, limits=LIMITS, admit=everyone):
    try:
        async with accept(stream, limits, admit) as socket:
            while True:
                await socket.send(await socket.receive())
    except PeerGone:
        pass


async def test_messages_come_back_in_order_whatever_is_sent_in_one_write(autojump_clock):
    """Many frames given to one send arrive one by one, in order."""
    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(echo, theirs)
        async with client_on(ours, "test", LIMITS) as socket:
            await socket.send("a", "b", "c")
            heard = [await socket.receive() for _ in range(3)]

    assert ["a", "b", "c"] == heard


async def test_a_refused_handshake_is_unreachable_for_the_client(autojump_clock):
    """What `admit` refuses gets HTTP 403 before the upgrade."""
    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(echo, theirs, LIMITS, lambda _handshake: Refusal(403, "not you"))
        with pytest.raises(Unreachable, match="403"):
            async with client_on(ours, "test", LIMITS):
                pass


async def test_a_peer_that_leaves_before_the_handshake_frees_the_server(autojump_clock):
    """A half handshake followed by EOF ends the server's side with PeerGone, not with a wait for ever."""
    ours, theirs = memory_stream_pair()
    await ours.send_all(b"GET / HTTP/1.1\r\n")
    await ours.aclose()

    with trio.fail_after(5), pytest.raises(PeerGone):
        async with accept(theirs, LIMITS, everyone):
            pass


async def test_garbage_instead_of_a_handshake_is_peer_gone(autojump_clock):
    """Bytes that are no HTTP end the connection quietly."""
    ours, theirs = memory_stream_pair()
    await ours.send_all(b"\x00\xff garbage\r\n\r\n")

    with trio.fail_after(5), pytest.raises(PeerGone):
        async with accept(theirs, LIMITS, everyone):
            pass


async def test_a_message_over_the_limit_closes_with_1009_and_the_socket_is_gone():
    """Over a real socket the peer reads code 1009, and our side ends at once."""
    ended = trio.Event()

    async def serve(stream):
        await echo(stream)
        ended.set()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        port = listeners[0].socket.getsockname()[1]
        async with connect("127.0.0.1", port, Limits(max_bytes=10_000_000)) as socket:
            await socket.send("x" * 300_000)
            with pytest.raises(PeerGone) as gone:
                await socket.receive()
        with trio.fail_after(5):
            await ended.wait()
        nursery.cancel_scope.cancel()

    assert 1009 == gone.value.code


async def test_the_limit_counts_bytes_not_characters(autojump_clock):
    """400 characters of three bytes each are over a limit of 1,000 bytes."""
    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(echo, theirs)
        async with client_on(ours, "test", Limits()) as socket:
            await socket.send("€" * 400)
            with pytest.raises(PeerGone) as gone:
                await socket.receive()

    assert 1009 == gone.value.code


async def test_leaving_the_server_says_going_away(autojump_clock):
    """A connection that the server is cancelled out of closes with 1001, not without a word."""
    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        serving = await nursery.start(_cancellable_echo, theirs)
        async with client_on(ours, "test", LIMITS) as socket:
            await socket.send("hello")
            await socket.receive()
            serving.cancel()
            with pytest.raises(PeerGone) as gone:
                await socket.receive()

    assert GOING_AWAY == gone.value.code


async def _cancellable_echo(stream, task_status):
    with trio.CancelScope() as scope:
        task_status.started(scope)
        await echo(stream)


async def test_a_peer_that_reads_nothing_is_gone_after_the_send_limit():
    """A send that the peer does not take ends with PeerGone, and leaving afterwards does not wait for the peer."""

    async def mute(stream):
        async with accept(stream, LIMITS, everyone):
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, mute, 0)
        port = listeners[0].socket.getsockname()[1]
        async with connect("127.0.0.1", port, Limits(send_s=0.05, max_bytes=10**9)) as socket:
            with pytest.raises(PeerGone, match="does not read"):
                await socket.send("x" * 10_000_000)
        nursery.cancel_scope.cancel()


async def test_ping_is_answered_though_the_peer_reads_no_messages(autojump_clock):
    """The reader of the library answers pings while the queue has room."""
    ours, theirs = memory_stream_pair()

    async def mute():
        async with accept(theirs, LIMITS, everyone):
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(mute)
        async with client_on(ours, "test", LIMITS) as socket:
            await socket.send("unread")
            assert await socket.answers_ping(5)
        nursery.cancel_scope.cancel()


class Narrow(trio.abc.Stream):
    """A line that carries so many bytes in a second; what waits for it waits in the sender, or on its way."""

    def __init__(self, stream, per_s, *, holds_up_the_sender):
        self.stream, self.per_s, self.holds_up_the_sender = stream, per_s, holds_up_the_sender

    async def send_all(self, data):
        if self.holds_up_the_sender:
            await trio.sleep(len(data) / self.per_s)
        await self.stream.send_all(data)

    async def wait_send_all_might_not_block(self):
        await self.stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes=None):
        if self.holds_up_the_sender:
            return await self.stream.receive_some(max_bytes)
        data = await self.stream.receive_some(self.per_s // 10)
        await trio.sleep(len(data) / self.per_s)
        return data

    async def aclose(self):
        await self.stream.aclose()


@pytest.mark.parametrize("holds_up_the_sender", [True, False])
async def test_a_peer_at_the_end_of_a_slow_line_is_not_taken_for_dead(
    holds_up_the_sender, autojump_clock
):
    """A message that takes ten times the limits arrives, while both sides ask for signs of life."""
    ours, theirs = memory_stream_pair()
    limits = Limits(max_bytes=10**7, first_bytes=10**6, send_s=2.0, close_s=1.0)
    alive = []

    def line(stream, *, sends):
        if sends is holds_up_the_sender:
            return Narrow(stream, 50_000, holds_up_the_sender=holds_up_the_sender)
        return stream

    async def beat(socket):
        while True:
            await trio.sleep(1)
            alive.append(await socket.answers_ping(2.0))

    async def serve():
        async with accept(line(theirs, sends=True), limits, everyone) as socket:
            beating.start_soon(beat, socket)
            await socket.send("x" * 1_000_000)
            await trio.sleep_forever()

    async with trio.open_nursery() as beating:
        beating.start_soon(serve)
        async with client_on(line(ours, sends=False), "test", limits) as socket:
            beating.start_soon(beat, socket)
            message = await socket.receive()
            took = trio.current_time()
            await trio.sleep(3)
        beating.cancel_scope.cancel()

    assert 1_000_000 == len(message)
    assert took >= 20
    assert alive
    assert all(alive)


async def test_a_peer_that_reads_is_alive_though_we_do_not_listen(autojump_clock):
    """While a message of the peer's waits to be taken its pongs are not read; that it takes ours, slowly, is sign enough."""
    ours, theirs = memory_stream_pair()
    limits = Limits(max_bytes=10**7, first_bytes=10**6, send_s=2.0, close_s=1.0)
    written, alive = trio.Event(), []

    async def pause(_message):
        legs.start_soon(write)
        await written.wait()

    async def write():
        await socket.send("x" * 1_000_000)
        written.set()

    async def talk():
        async with client_on(ours, "test", limits) as peer:
            await peer.send("wait")
            await trio.sleep_forever()

    line = Narrow(theirs, 50_000, holds_up_the_sender=True)
    async with trio.open_nursery() as talking:
        talking.start_soon(talk)
        async with accept(line, limits, everyone) as socket, trio.open_nursery() as legs:
            legs.start_soon(socket.relay, pause)
            while not written.is_set():
                await trio.sleep(1)
                alive.append(await socket.answers_ping(2.0))
            legs.cancel_scope.cancel()
        talking.cancel_scope.cancel()

    assert trio.current_time() >= 20
    assert alive
    assert all(alive)


async def test_that_messages_go_out_is_no_sign_of_life(autojump_clock):
    """The system takes much for a peer that is gone: a silent one is given up in its time, whatever is sent meanwhile."""
    ours, theirs = memory_stream_pair()

    async def mute():
        async with accept(theirs, LIMITS, everyone):
            theirs.send_stream.send_all_hook = trio.sleep_forever
            await trio.sleep_forever()

    async def talk():
        while True:
            await socket.send("x" * 1000)
            await trio.sleep(0.5)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(mute)
        async with client_on(ours, "test", LIMITS) as socket, trio.open_nursery() as talking:
            talking.start_soon(talk)
            began = trio.current_time()
            answered = await socket.answers_ping(5)
            gave_up = trio.current_time() - began
            talking.cancel_scope.cancel()
        nursery.cancel_scope.cancel()

    assert not answered
    assert gave_up == 5


async def test_a_ping_during_a_long_write_is_answered_behind_it(autojump_clock):
    """The answer is owed until the write is done, and is not forgotten."""
    ours, theirs = memory_stream_pair()
    limits = Limits(max_bytes=10**7, first_bytes=10**6, send_s=2.0, close_s=1.0)
    answers = []

    async def serve():
        line = Narrow(theirs, 50_000, holds_up_the_sender=True)
        async with accept(line, limits, everyone) as socket:
            await socket.send("x" * 500_000)
            await trio.sleep_forever()

    async def ask(socket):
        await trio.sleep(1)
        answers.append((await socket.answers_ping(2.0), trio.current_time()))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        async with client_on(ours, "test", limits) as socket:
            nursery.start_soon(ask, socket)
            await socket.receive()
            await trio.sleep(5)
        nursery.cancel_scope.cancel()

    [(answered, at)] = answers
    assert answered
    assert 9 < at < 11


class Full(trio.abc.Stream):
    """A line that takes nothing more once it is `full`, until its peer has read, which is when it is freed."""

    def __init__(self, stream):
        self.stream, self.full, self.freed = stream, False, trio.Event()

    async def send_all(self, data):
        if self.full:
            await self.freed.wait()
        await self.stream.send_all(data)

    async def wait_send_all_might_not_block(self):
        await self.stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes=None):
        data = await self.stream.receive_some(4096)
        await trio.sleep(0.1)
        return data

    async def aclose(self):
        await self.stream.aclose()


@pytest.mark.parametrize("writing", ["nothing", "a ping"])
async def test_a_full_line_does_not_keep_the_reader_from_reading(writing, autojump_clock):
    """Two that each wait for the other to read would wait for ever: pongs, asked for or not, are sent beside the reader."""
    ours, theirs = memory_stream_pair()
    limits = Limits(max_bytes=10**7, first_bytes=10**6, send_s=2.0, close_s=1.0)
    line, heard, answers = Full(theirs), [], []

    async def serve():
        async with accept(line, limits, everyone) as socket:
            line.full = True
            if writing == "a ping":
                nursery.start_soon(socket.answers_ping, 60.0)
            heard.extend([len(await socket.receive()) for _ in range(2)])
            line.freed.set()
            await trio.sleep_forever()

    async def ask(socket):
        await trio.sleep(1)
        answers.append(await socket.answers_ping(60.0))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        async with client_on(ours, "test", limits) as socket:
            nursery.start_soon(ask, socket)
            await socket.send("x" * 100_000)
            await trio.sleep(5)
            await socket.send("y" * 50_000)
            await trio.sleep(20)
        nursery.cancel_scope.cancel()

    assert [100_000, 50_000] == heard
    assert [True] == answers


async def test_a_ping_after_our_goodbye_breaks_nothing(autojump_clock):
    """A peer that has not read it yet still asks; its goodbye is heard behind that, and nobody waits for the limit."""
    ours, theirs = memory_stream_pair()
    peer = WSConnection(ConnectionType.CLIENT)

    async def ask_late():
        await ours.send_all(peer.send(Request(host="test", target="/")))
        peer.receive_data(await ours.receive_some())
        goodbye = await ours.receive_some()
        question = peer.send(Ping())
        peer.receive_data(goodbye)
        (closing,) = [one for one in peer.events() if isinstance(one, CloseConnection)]
        await ours.send_all(question + peer.send(closing.response()))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask_late)
        begun = trio.current_time()
        async with accept(theirs, LIMITS, everyone) as socket:
            await socket.close()
        took = trio.current_time() - begun

    assert took < LIMITS.close_s


async def test_a_peer_that_is_silent_is_dead_though_the_line_stands(autojump_clock):
    """Nothing comes and nothing is taken: the ping is given up after its time."""
    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:

        async def serve():
            async with accept(theirs, LIMITS, everyone):
                theirs.send_stream.send_all_hook = trio.sleep_forever
                await trio.sleep_forever()

        nursery.start_soon(serve)
        async with client_on(ours, "test", LIMITS) as socket:
            await trio.sleep(1)
            began = trio.current_time()
            answered = await socket.answers_ping(5)
            gave_up = trio.current_time() - began
        nursery.cancel_scope.cancel()

    assert not answered
    assert gave_up == 5


async def test_nobody_listening_is_unreachable(unused_tcp_port):
    """Connecting to a closed port raises NotListening naming the address."""
    with pytest.raises(NotListening, match=str(unused_tcp_port)):
        async with connect("127.0.0.1", unused_tcp_port, LIMITS):
            pass


async def test_cancelled_anywhere_a_conversation_ends_and_closes_its_streams(
    cancel_at_every_step, autojump_clock
):
    """Cancelled at any scheduler step, whatever was opened is closed."""
    still_open = set()

    def watch(stream):
        still_open.add(stream)
        stream.send_stream.close_hook = lambda: still_open.discard(stream)
        return stream

    async def conversation():
        ours, theirs = memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(echo, watch(theirs))
            try:
                watch(ours)
                async with client_on(ours, "test", LIMITS) as socket:
                    await socket.send("a", "b")
                    await socket.receive()
                    await socket.answers_ping(5)
            except PeerGone:
                pass

    def all_closed():
        assert not still_open

    steps = await cancel_at_every_step(conversation, all_closed)

    assert steps > 20


def leaf(fault):
    """The one fault that a group holds, however deep."""
    return leaf(fault.exceptions[0]) if isinstance(fault, ExceptionGroup) else fault


async def relayed(ours, theirs, take, frames=("a", "b", "c")):
    """Send `frames` from one side while the other relays them to `take`; returns why the relaying ended."""
    ended = []

    async def serve():
        try:
            async with accept(theirs, LIMITS, everyone) as socket:
                await socket.relay(take)
        except* (PeerGone, ValueError) as group:
            ended.append(leaf(group))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        async with client_on(ours, "test", Limits()) as socket:
            await socket.send(*frames)
            try:
                with trio.move_on_after(5):
                    await socket.receive()
            except PeerGone:
                pass
    return ended[0]


async def test_relayed_messages_arrive_in_order_until_the_peer_leaves(autojump_clock):
    """The relay ends with the peer's goodbye, after everything that came before it."""
    taken = []

    async def take(frame):
        await trio.lowlevel.checkpoint()
        taken.append(frame)

    ended = await relayed(*memory_stream_pair(), take)

    assert ["a", "b", "c"] == taken
    assert PeerGone is type(ended)
    assert 1000 == ended.code


async def test_what_a_relay_raises_comes_out_of_it(autojump_clock):
    """A fault in `take` ends the relay in the task that called it, and nothing is taken after it."""
    taken = []

    async def take(frame):
        await trio.lowlevel.checkpoint()
        taken.append(frame)
        raise ValueError(frame)

    ended = await relayed(*memory_stream_pair(), take)

    assert ["a"] == taken
    assert "a" == str(ended)


async def test_a_relay_refuses_a_message_over_the_limit(autojump_clock):
    """400 characters of three bytes each are over 1,000 bytes: the connection closes with 1009."""
    taken = []

    async def take(frame):
        await trio.lowlevel.checkpoint()
        taken.append(frame)

    ended = await relayed(*memory_stream_pair(), take, ("fine", "€" * 400, "late"))

    assert ["fine"] == taken
    assert 1009 == ended.code


async def test_messages_that_came_before_the_relay_come_first(autojump_clock):
    """What waited in the queue is handed on before anything newer."""
    ours, theirs = memory_stream_pair()
    taken = []

    async def take(frame):
        await trio.sleep(1)
        taken.append(frame)

    async def serve():
        try:
            async with accept(theirs, LIMITS, everyone) as socket:
                await trio.sleep(5)
                await socket.relay(take)
        except PeerGone:
            pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        async with client_on(ours, "test", Limits()) as socket:
            for frame in "abcdef":
                await socket.send(frame)
                await trio.sleep(1.5)
            await trio.sleep(5)

    assert list("abcdef") == taken


async def test_a_close_during_a_write_is_still_heard(autojump_clock):
    """A goodbye waits for the write that is under way, and does not tear it."""
    ours, theirs = memory_stream_pair()
    heard = []

    async def listen():
        try:
            async with accept(theirs, Limits(first_bytes=1_000_000), everyone) as socket:
                while True:
                    heard.append(await socket.receive())
        except PeerGone as gone:
            heard.append(gone.code)

    async def slowly():
        await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        async with client_on(ours, "test", Limits(close_s=5.0)) as socket:
            ours.send_stream.send_all_hook = slowly
            async with trio.open_nursery() as writing:
                writing.start_soon(socket.send, "x" * 100_000)
                await trio.testing.wait_all_tasks_blocked()
                await socket.close(4321)

    assert ["x" * 100_000, 4321] == heard


async def test_the_last_frame_and_the_goodbye_leave_in_one_write(autojump_clock):
    """And a peer that does not answer is waited for once, not again when the connection is left."""
    ours, theirs = memory_stream_pair()
    written = []

    async def note():
        written.append(None)

    async def part():
        async with accept(theirs, LIMITS, everyone) as socket:
            theirs.send_stream.send_all_hook = note
            await socket.close(4003, "unauthorized", last="no")

    request = WSConnection(ConnectionType.CLIENT).send(Request(host="exai", target="/"))
    started = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(part)
        await ours.send_all(request)
    _head, _, frames = bytes(await ours.receive_some()).partition(b"\r\n\r\n")

    assert frames == b"\x81\x02no\x88\x0e\x0f\xa3unauthorized"
    assert 1 == len(written)
    assert LIMITS.close_s == trio.current_time() - started
