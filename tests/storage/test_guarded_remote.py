"""What whoever asks the other side of a mirror is told while it is away."""

import pytest
import trio

from exai_trio.resilience.breaker import Breaker
from exai_trio.storage.hosted.guarded_remote import GuardedRemote
from exai_trio.storage.hosted.hosted_faults import HostedAway


async def test_while_it_is_not_asked_everybody_hears_for_how_long(autojump_clock):
    """Who looks first whether it may be asked hears the same; afterwards it may."""
    guarded = GuardedRemote(Breaker(threshold=1, open_s=60.0))
    guarded.refuse(HostedAway("gone"))
    with pytest.raises(HostedAway, match="gone"):
        await guarded.ask(lambda remote: remote.state(), within_s=1.0)
    await trio.sleep(20)
    with pytest.raises(HostedAway) as told:
        await guarded.ask(lambda remote: remote.state(), within_s=1.0)
    closed = guarded.closed_door
    await trio.sleep(41)

    assert 40 == told.value.retry_after_s == closed.retry_after_s
    assert guarded.closed_door is None
