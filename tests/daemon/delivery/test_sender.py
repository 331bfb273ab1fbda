"""A session's frames while the disk writes: in the order of their numbers, none lost, not too many."""

import pytest

from exai_trio.daemon.delivery.outbox import Outbox
from exai_trio.daemon.delivery.sender import Sender
from exai_trio.wire.codec import encode
from exai_trio.wire.messages import Progress, ToolsChanged
from exai_trio.wire.session_rules import SessionRules

PROGRESS = Progress(request_id="r1", name="nap", t="", stage="running", message="", elapsed_s=1.0)


@pytest.fixture
def sender():
    return Sender(SessionRules(resumable=True), Outbox())


async def test_a_client_that_comes_back_hears_what_it_missed_before_what_waits(sender):
    """Each numbered frame once, whatever else waits behind the disk."""
    sent, held = (sender.rules.number(ToolsChanged()) for _ in range(2))
    sender.deliver(sent)
    sender.hold("r1", held)
    sender.offer(PROGRESS)
    sender.attach(Outbox(), protocol=2, last_seq=0)
    sender.release("r1")

    assert [sent, held, encode(PROGRESS)] == await sender.outbox.take()


async def test_what_may_be_dropped_is_dropped_when_much_waits_for_the_disk(sender):
    """What is numbered is not."""
    first, last = (sender.rules.number(ToolsChanged()) for _ in range(2))
    sender.hold("r1", first)
    for _ in range(5_000):
        sender.offer(PROGRESS)
    sender.deliver(last)
    sender.release("r1")
    frames = await sender.outbox.take()

    assert (first, last) == (frames[0], frames[-1])
    assert len(frames) < 1_100
