"""Large results over connections that are cut, slow, or not read at all."""

import tracemalloc

import attrs
import pytest
import trio
from payloads_in_memory import MemoryPayloads
from trio.testing import memory_stream_pair

from exai_trio.tools.base import Answer, Tool
from exai_trio.transport.websocket import PeerGone
from exai_trio.wire.messages import CallResult, CallTool, PayloadGet, Ping, Pong
from exai_trio.wire.payload_download import PayloadDownload
from exai_trio.wire.payload_frames import PIECE_BYTES, decode_piece, reference_in

MIB = 2**20
WHOLE = "".join(f"line {number} of a long answer\n" for number in range(60_000))


@attrs.frozen(kw_only=True)
class Nothing:
    """No arguments."""


async def give_all(_arguments, _caller, _services):
    await trio.lowlevel.checkpoint()
    return Answer(text=WHOLE)


ALL = Tool(name="all", description="All.", arguments=Nothing, run=give_all, repeatable=True)


@attrs.define(eq=False)
class CutStream(trio.abc.Stream):
    """Breaks when so many bytes have come."""

    stream: trio.abc.Stream
    left: int

    async def send_all(self, data):
        await self.stream.send_all(data)

    async def wait_send_all_might_not_block(self):
        await self.stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes=None):
        data = await self.stream.receive_some(max_bytes)
        self.left -= len(data)
        if self.left <= 0:
            await self.stream.aclose()
            return bytes(data[: max(0, len(data) + self.left)])
        return data

    async def aclose(self):
        await self.stream.aclose()


def cut_after(count):
    def pair():
        ours, theirs = memory_stream_pair()
        return CutStream(ours, count), theirs

    return pair


async def visit(daemon, state, pair):
    """One connection: ask for the result if it is not known yet, then fetch what is missing, until all is there or it breaks."""
    hello = {"session_id": "win", "accepts": ["payload_ref"], "last_seq": state.last_seq}
    async with daemon.connect(pair, **hello) as (client, _):
        if state.download is None:
            await client.say(CallTool(request_id="r", name="all"))
            ref = reference_in(await client.hear_until(CallResult))
            state.download = PayloadDownload("r", ref)
        state.download.reconnect()
        while not state.download.is_complete:
            await client.say(*state.download.due())
            frame = await client.socket.receive()
            if isinstance(frame, bytes):  # the others repeat what is known
                state.got += state.download.take(decode_piece(frame))
        await client.say(state.download.acknowledgement())


class Payloads(MemoryPayloads):
    """What is noted takes its time, as on a disk."""

    async def deliver(self, *given):
        await trio.sleep(0.01)
        await super().deliver(*given)


@attrs.define
class State:
    """What a client keeps over its connections."""

    download: PayloadDownload | None = None
    got: bytes = b""
    last_seq: int = 0


@pytest.mark.parametrize("step", [3_001, 70_001, 262_144, 300_007, 999_983])
async def test_cut_at_any_byte_it_arrives_whole_and_once(house, tmp_path, step):
    """Each connection of a client breaks after some more bytes than the one before; the call runs once."""
    state, visits = State(), 0
    rows = Payloads()
    async with house(home=tmp_path, tools=(ALL,), payloads=rows) as daemon:
        while not (state.download and state.download.is_complete):
            visits += 1
            with trio.fail_after(20):
                try:
                    await visit(daemon, state, cut_after(visits * step))
                except* (PeerGone, trio.BrokenResourceError, trio.ClosedResourceError):
                    pass
        await visit(daemon, state, memory_stream_pair)  # and leaves at once
    (row,) = await rows.all()

    assert WHOLE.encode() == state.got
    assert None is state.download.fault()
    assert "delivered" == row.status
    assert visits > 1


async def test_who_does_not_read_costs_little(house, tmp_path):
    """And keeps nobody from being answered. What it asked for waits on the disk, not in memory."""
    async with house(home=tmp_path, tools=(ALL,)) as daemon:
        bus = daemon.environment.bus
        size = 100 * MIB
        stored = await bus.put("x" * size, size, principal="owner", session="s", request="r")
        lockstep = trio.testing.lockstep_stream_pair
        async with daemon.connect(lockstep) as (deaf, _), daemon.connect() as (other, _):
            tracemalloc.start()
            with trio.move_on_after(5):
                for number in range(400):
                    await deaf.say(
                        PayloadGet(
                            request_id=number,
                            transaction_id=stored.transaction_id,
                            offset=number * PIECE_BYTES,
                        )
                    )
                    await other.say(Ping(request_id=number))
                    await other.hear_until(Pong)
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()

    assert most < 8 * MIB
