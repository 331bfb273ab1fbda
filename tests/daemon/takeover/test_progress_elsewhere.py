"""What calls say for clients of other daemons is bounded, and waits for no store."""

import attrs
import trio
import trio.testing

from exai_trio.daemon.takeover.cluster.progress_elsewhere import ProgressElsewhere
from exai_trio.daemon.takeover.cluster.stored_outcomes import StoredOutcomes
from exai_trio.errors import StorageError
from exai_trio.storage.shared.shared_calls import Said
from exai_trio.wire.codec import decode_daemon, encode
from exai_trio.wire.messages import CallResult, Progress, StreamChunk


def progress(stage, request="r1"):
    return Progress(
        request_id=request, name="nap", t="now", stage=stage, message=stage, elapsed_s=1.0
    )


async def test_the_newest_progress_of_a_call_is_said(autojump_clock):
    """Of each call one frame at a time, twice a second; a store that is away loses what it was given."""
    said, away = [], [True]

    async def say(frames):
        if away:
            away.clear()
            raise StorageError("away")
        said.append([(one.name, decode_daemon(one.frame).message.stage) for one in frames])

    told = ProgressElsewhere(say)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(told.run)
        told.offer("win", progress("lost"))
        await trio.sleep(0.1)
        for stage in ("first", "second"):
            told.offer("win", progress(stage))
        told.offer("win", progress("other", request=2))
        await trio.sleep(0.5)
        told.offer("win", progress("third"))
        await trio.sleep(0.1)
        before = list(said)
        await trio.sleep(60)
        nursery.cancel_scope.cancel()

    assert [[(("win", '"r1"'), "second"), (("win", "2"), "other")]] == before
    assert [*before, [(("win", '"r1"'), "third")]] == said


@attrs.define(eq=False)
class Repeated:
    """A call that remembers what it is to repeat."""

    said: list = attrs.field(factory=list)

    def repeat(self, message):
        self.said.append(message)


async def test_a_call_repeats_what_is_said_of_it(autojump_clock):
    """Neither what is said of others, nor what cannot be read, nor an outcome: that counts once it is stored."""
    outcomes, call, name = StoredOutcomes(), Repeated(), ("win", '"r1"')
    told = progress("first")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outcomes.frame, lambda: name, call)
        nursery.start_soon(outcomes.frame, lambda: ("win", "2"))
        await trio.testing.wait_all_tasks_blocked()
        outcome = encode(CallResult(request_id="r1", outputs=[]))
        for frame in ("{", outcome, encode(told)):
            outcomes.repeat([Said(name, frame), Said(("win", "2"), frame), Said(("x", "y"), frame)])
        nursery.cancel_scope.cancel()

    assert [told] == call.said


async def test_what_finds_no_room_is_dropped(autojump_clock):
    said = []

    async def say(frames):
        said.extend(frames)

    told = ProgressElsewhere(say)
    told.offer("win", progress("first"))
    for index in range(1_000):
        told.offer("win", StreamChunk(request_id="r1", index=index, chunk="x"))
    told.offer("win", progress("newest"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(told.run)
        await trio.sleep(10)
        nursery.cancel_scope.cancel()

    newest, *chunks = [decode_daemon(one.frame).message for one in said]
    assert "newest" == newest.stage
    assert list(range(255)) == [one.index for one in chunks]
