"""Frames by hand against our reader and writer: what is refused, put together, answered, and said at the end."""

from contextlib import asynccontextmanager, suppress

import pytest
import trio
from trio.testing import memory_stream_pair, wait_all_tasks_blocked
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from exai_trio.transport.websocket.connection_errors import PeerGone
from exai_trio.transport.websocket.connection_limits import Limits
from exai_trio.transport.websocket.frame_stream import FrameStream, Side

FIRST, OTHERS = 1000, 4000


class Peer:
    """The client at the other end, which says what it wants."""

    def __init__(self, stream):
        self.stream, self.protocol = stream, Connection(ConnectionType.CLIENT)

    async def say(self, *events):
        await self.stream.send_all(b"".join(map(self.protocol.send, events)))

    async def hear(self):
        """The events of what is there."""
        with trio.move_on_after(0.1):
            self.protocol.receive_data(await self.stream.receive_some())
        return list(self.protocol.events())


@asynccontextmanager
async def opened(received=b"", queue=4):
    """Our side, the peer, and a nursery that ends with both."""
    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        limits = Limits(first_bytes=FIRST, max_bytes=OTHERS, queue=queue)
        frames = FrameStream.on(ours, Side.SERVER, received, nursery, limits)
        yield frames, Peer(theirs), nursery
        frames.leave()
        nursery.cancel_scope.cancel()


async def gone_of(frames):
    with trio.fail_after(5), pytest.raises(PeerGone) as gone:
        await frames.receive()
    return gone.value


async def test_a_message_in_parts_is_one_message(autojump_clock):
    """Text and bytes, with pings between, and parts that are empty."""
    async with opened() as (frames, peer, _):
        parts = [TextMessage(data=part, message_finished=False) for part in ("€", "", "a")]
        await peer.say(*parts, Ping(), TextMessage(data="b"))
        await peer.say(BytesMessage(data=b"\xff", message_finished=False), BytesMessage(data=b""))
        await peer.say(TextMessage(data=""))
        heard = [await frames.receive() for _ in range(3)]

    assert ["€ab", b"\xff", ""] == heard


async def test_a_message_is_refused_before_it_has_come_whole(autojump_clock):
    """A part over the limit is enough; who sends it hears 1009 and may be in the midst of it."""
    async with opened() as (frames, peer, _):
        whole = peer.protocol.send(TextMessage(data="x" * 1_000_000))
        await peer.stream.send_all(whole[: FIRST + 20])
        gone = await gone_of(frames)
        [said] = await peer.hear()

    assert (1009, 1009) == (gone.code, said.code)
    assert f"{FIRST} bytes" in said.reason


async def test_the_limit_of_the_first_message_is_that_of_no_other(autojump_clock):
    """And the others have theirs, to the byte."""
    async with opened() as (frames, peer, _):
        for size in (FIRST, OTHERS):
            await peer.say(TextMessage(data="€" * (size // 3) + "x" * (size % 3)))
        heard = [len((await frames.receive()).encode()) for _ in range(2)]
        await peer.say(TextMessage(data="€" * (OTHERS // 3) + "x" * (OTHERS % 3 + 1)))
        gone = await gone_of(frames)

    assert [FIRST, OTHERS] == heard
    assert 1009 == gone.code


async def test_after_a_refusal_nothing_is_read_until_our_side_leaves(autojump_clock):
    """A peer that goes on sending is held up; when our side leaves, what it sends is dropped until it has said goodbye."""
    async with opened() as (frames, peer, nursery):
        await peer.say(TextMessage(data="x" * (FIRST + 1)), TextMessage(data="late"))
        await gone_of(frames)
        await peer.hear()
        await peer.stream.send_all(b"more")
        await wait_all_tasks_blocked()
        unread = not frames._has_ended
        nursery.start_soon(frames.close, 1000, "")
        await peer.say(CloseConnection(code=1009))
        await wait_all_tasks_blocked()
        gone = await gone_of(frames)

    assert unread
    assert 1009 == gone.code


async def test_who_breaks_the_protocol_hears_so(autojump_clock):
    """A client's frame without a mask is 1002, on both sides."""
    async with opened() as (frames, peer, _):
        await peer.stream.send_all(Connection(ConnectionType.SERVER).send(TextMessage(data="x")))
        gone = await gone_of(frames)
        [said] = await peer.hear()

    assert (1002, 1002) == (gone.code, said.code)


async def test_text_that_is_no_utf_8_is_refused(autojump_clock):
    """With 1007, also in the midst of a message."""
    async with opened() as (frames, peer, _):
        wrong = peer.protocol.send(BytesMessage(data=b"\xff\xff"))
        await peer.stream.send_all(bytes([wrong[0] - 1]) + wrong[1:])  # the opcode of text
        gone = await gone_of(frames)

    assert 1007 == gone.code


async def test_what_came_before_a_goodbye_can_still_be_taken(autojump_clock):
    """Then the peer's code and reason are told, which it hears again as our answer."""
    async with opened() as (frames, peer, _):
        await peer.say(TextMessage(data="last"), CloseConnection(code=4321, reason="bye"))
        [said] = await peer.hear()
        heard = await frames.receive()
        gone = await gone_of(frames)
        with pytest.raises(PeerGone):
            await frames.send(["late"], 1.0)

    assert "last" == heard
    assert (4321, "bye") == (gone.code, gone.reason)
    assert 4321 == said.code


async def test_after_our_goodbye_a_relay_still_hears_until_the_peer_has_answered(autojump_clock):
    """Such as acknowledgements; nothing can be sent any more."""
    taken = []

    async def take(message):
        taken.append(message)

    async def relay(frames):
        with pytest.raises(PeerGone):
            await frames.relay(take)
        taken.append("over")

    async with opened() as (frames, peer, nursery):
        nursery.start_soon(relay, frames)
        await wait_all_tasks_blocked()
        nursery.start_soon(frames.close, 1001, "")
        await wait_all_tasks_blocked()
        await peer.say(TextMessage(data="ack"))  # it has not read our goodbye yet
        with pytest.raises(PeerGone):
            await frames.send(["late"], 1.0)
        [said] = await peer.hear()
        await peer.say(said.response())
        await wait_all_tasks_blocked()

    assert ["ack", "over"] == taken


async def test_after_our_goodbye_nothing_waits_to_be_received(autojump_clock):
    """What nobody will take does not keep the reader from the peer's answer, however much there is of it."""
    async with opened(queue=2) as (frames, peer, _):
        await peer.say(*[TextMessage(data="unread")] * 9)
        await wait_all_tasks_blocked()
        async with trio.open_nursery() as closing:
            closing.start_soon(frames.close, 1000, "")
            await wait_all_tasks_blocked()
            await peer.say(CloseConnection(code=1000))
        gone = await gone_of(frames)

    assert 1000 == gone.code


async def test_a_peer_that_hangs_up_without_a_goodbye_is_1006(autojump_clock):
    """Whoever waits is told: for a message, for a pong. What is sent later is not taken."""
    async with opened() as (frames, peer, nursery):
        asked = []

        async def ask():
            with pytest.raises(PeerGone) as gone:
                await frames.answers_ping(60.0)
            asked.append((gone.value.code, trio.current_time()))

        began = trio.current_time()
        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        await peer.stream.send_stream.aclose()
        gone = await gone_of(frames)
        await wait_all_tasks_blocked()
        with pytest.raises(PeerGone):
            await frames.send(["late"], 1.0)

    assert 1006 == gone.code
    assert [(1006, began)] == asked


async def test_another_pong_is_no_answer(autojump_clock):
    """It is a sign of life all the same: the ping is given up later for it."""
    async with opened() as (frames, peer, nursery):
        answers = []

        async def ask():
            answers.append((await frames.answers_ping(5.0), trio.current_time()))

        nursery.start_soon(ask)
        await trio.sleep(3)
        await peer.say(Pong(payload=b"no"))
        await trio.sleep(20)

    assert [(False, 8.0)] == [(answer, round(at)) for answer, at in answers]


async def test_a_frame_that_came_with_the_handshake_is_the_first(autojump_clock):
    """It is counted by the limit of the first message."""
    early = Connection(ConnectionType.CLIENT).send(TextMessage(data="early"))
    large = Connection(ConnectionType.CLIENT).send(TextMessage(data="x" * (FIRST + 1)))
    async with opened(early) as (frames, _, _):
        heard = await frames.receive()
    async with opened(large) as (frames, _, _):
        gone = await gone_of(frames)

    assert "early" == heard
    assert 1009 == gone.code


async def test_a_write_that_was_cut_is_the_last(autojump_clock):
    """Nothing is written behind half a frame, not even a goodbye, and whoever waits for the turn is told."""
    ours, theirs = memory_stream_pair()
    written = []

    async def hold():
        written.append(len(written))
        await trio.sleep_forever()

    ours.send_stream.send_all_hook = hold
    async with trio.open_nursery() as nursery:
        frames = FrameStream.on(ours, Side.SERVER, b"", nursery, Limits())
        with trio.move_on_after(1):
            await frames.send(["half of it"], 60.0)
        await frames.close(1000, "")
        with pytest.raises(PeerGone):
            await frames.send(["more"], 60.0)
        frames.leave()
        nursery.cancel_scope.cancel()
    del theirs

    assert frames.is_cut
    assert [0] == written


async def test_its_state_can_be_read(autojump_clock):
    """In logs and tests."""
    async with opened() as (frames, peer, _):
        await peer.say(TextMessage(data="unread"))
        await wait_all_tasks_blocked()
        before = repr(frames)
        await peer.say(CloseConnection(code=1000))
        await wait_all_tasks_blocked()
        after = repr(frames)

    assert "<FrameStream open <Inbox open waiting=1>>" == before
    assert "<FrameStream closed <Inbox over waiting=1>>" == after


@pytest.mark.parametrize("how", ["cancelled", "a fault"])
async def test_after_a_relay_the_connection_is_read_on(how, autojump_clock):
    """No message is lost, pings are answered, and the peer's goodbye is heard at once."""
    taken = []

    async def take(message):
        taken.append(message)
        if how == "a fault":
            raise ValueError(message)
        scope.cancel()
        await trio.lowlevel.checkpoint()

    async with opened() as (frames, peer, nursery):
        await peer.say(*[TextMessage(data=name) for name in "abc"])
        with trio.CancelScope() as scope, suppress(ValueError):
            await frames.relay(take)
        heard = [await frames.receive() for _ in "bc"]
        await peer.say(Ping(payload=b"?"))
        [pong] = await peer.hear()
        nursery.start_soon(frames.close, 1001, "")
        [said] = await peer.hear()
        await peer.say(said.response())
        await wait_all_tasks_blocked()
        after = repr(frames)

    assert (["a"], ["b", "c"]) == (taken, heard)
    assert b"?" == pong.payload
    assert after.startswith("<FrameStream closed ")
