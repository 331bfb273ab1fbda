"""A session's frames while the disk writes: in the order of their numbers, none lost, not too many."""

import pytest

from exai_trio.daemon.delivery.outbox import Outbox
from exai_trio.daemon.delivery.sender import Mail
from exai_trio.wire.codec import encode
from exai_trio.wire.messages import Progress, ToolsChanged
from exai_trio.wire.session import SessionRules

PROGRESS = Progress(request_id="r1", name="nap", t="", stage="running", message="", elapsed_s=1.0)


@pytest.fixture
def mail():
    return Mail(SessionRules(resumable=True), Outbox())


async def test_a_client_that_comes_back_hears_what_it_missed_before_what_waits(mail):
    """Each numbered frame once, whatever else waits behind the disk."""
    sent, held = (mail.rules.number(ToolsChanged()) for _ in range(2))
    mail.deliver(sent)
    mail.hold("r1", held)
    mail.offer(PROGRESS)
    mail.attach(Outbox(), protocol=2, last_seq=0)
    mail.let_go("r1")

    assert [sent, held, encode(PROGRESS)] == await mail.outbox.take()


async def test_what_may_be_dropped_is_dropped_when_much_waits_for_the_disk(mail):
    """What is numbered is not."""
    first, last = (mail.rules.number(ToolsChanged()) for _ in range(2))
    mail.hold("r1", first)
    for _ in range(5_000):
        mail.offer(PROGRESS)
    mail.deliver(last)
    mail.let_go("r1")
    frames = await mail.outbox.take()

    assert (first, last) == (frames[0], frames[-1])
    assert len(frames) < 1_100
