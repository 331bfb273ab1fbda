"""Why a connection ended: the daemon's own word first, then a bug of ours, then that nobody is there any more."""

import pytest

from exai_trio.shim.close_reasons import Refused, bugs_in, plainest
from exai_trio.transport.websocket import PeerGone, Unreachable

GONE, UNREACHABLE, BUG, REFUSED = PeerGone(), Unreachable("x"), ValueError("x"), Refused("token")


@pytest.mark.parametrize(
    ("faults", "said", "bugs"),
    [
        ([GONE], GONE, []),
        ([GONE, BUG], BUG, [BUG]),
        ([BUG, REFUSED, GONE], REFUSED, [BUG]),
        ([ExceptionGroup("inner", [UNREACHABLE, BUG])], BUG, [BUG]),
    ],
)
def test_what_says_most_is_said_and_no_bug_is_dropped(faults, said, bugs):
    group = ExceptionGroup("a connection", faults)

    assert said is plainest(group)
    assert bugs == bugs_in(group)
