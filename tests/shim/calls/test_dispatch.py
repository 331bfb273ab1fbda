"""Where calls stand between the client and the daemon: what is to be sent, what runs, what is to be cancelled."""

from itertools import product

import msgspec
import pytest

from exai_trio.mcp.calls.open_calls import opened
from exai_trio.mcp.params import Call
from exai_trio.mcp.versions import Dialect
from exai_trio.shim.calls.dispatch import AT_DAEMON, NEXT, Dispatch

ARGUMENTS = msgspec.Raw(b"{}")
EVENTS = [
    "sent",
    "accepted",
    "turned away",
    "withdrawn",
    "detached",
    "resumed",
    "forgotten",
    "ended",
]


@pytest.fixture
def dispatch():
    return Dispatch()


def add(dispatch, *numbers):
    """Calls with the keys k1, k2, …"""
    calls = [
        opened(
            Call(id=n, name="chat", arguments=ARGUMENTS, dialect=Dialect("2025-06-18")),
            f"k{n}",
            None,
        )
        for n in numbers
    ]
    for call in calls:
        dispatch.add(call)
    return calls


def take(dispatch, window):
    return list(dispatch.take(window))


def test_whatever_happens_a_call_is_in_one_state_of_the_table():
    """It is in the table of that state alone, and its own note of being accepted is true; an end is an end."""
    for events in product(EVENTS, repeat=4):
        dispatch = Dispatch()
        (call,) = add(dispatch, 1)
        for event in events:
            before = dispatch.state("k1")
            changed = dispatch.note("k1", event)
            after = dispatch.state("k1")
            assert changed == (event in NEXT.get(before, {}))
            assert after == NEXT.get(before, {}).get(event, before)
            assert call.accepted == (after == "accepted")
            assert dispatch.runs_any == (after in AT_DAEMON)
            assert dispatch.has_queued == (after == "queued")
        dispatch.note("k1", "ended")
        assert "over" == dispatch.state("k1")
        assert "<Dispatch empty>" == repr(dispatch)


def test_the_daemons_window_is_kept(dispatch):
    """Whatever the daemon runs for us has its place until it has ended, also if nobody waits for it."""
    first, second, third, fourth, fifth = add(dispatch, 1, 2, 3, 4, 5)
    taken = take(dispatch, 3)
    dispatch.note("k1", "accepted")
    dispatch.note("k1", "detached")
    dispatch.note("k2", "withdrawn")
    full = take(dispatch, 3)
    dispatch.note("k1", "ended")
    one = take(dispatch, 3)
    dispatch.note("k2", "ended")

    assert ([first, second, third], []) == (taken, full)
    assert ([fourth], [fifth]) == (one, take(dispatch, 3))


def test_what_left_before_it_was_sent_is_never_sent(dispatch):
    """Nor is it cancelled."""
    add(dispatch, 1)
    dispatch.note("k1", "withdrawn")

    assert ([], []) == (take(dispatch, 9), dispatch.cancels())


def test_a_cancel_is_sent_once_on_each_connection(dispatch):
    """Until the daemon has said how the call ended, or does not know it any more."""
    add(dispatch, 1, 2)
    take(dispatch, 9)
    dispatch.note("k1", "withdrawn")
    first = [dispatch.cancels(), dispatch.cancels()]
    dispatch.note("k2", "withdrawn")
    second = dispatch.cancels()
    dispatch.reconnect(resumed=True)
    again = dispatch.cancels()
    dispatch.note("k1", "ended")
    dispatch.reconnect(resumed=True)
    unsettled = dispatch.cancels()
    dispatch.reconnect(resumed=False)

    assert [["k1"], []] == first
    assert ["k2"] == second
    assert ["k1", "k2"] == again
    assert ["k2"] == unsettled
    assert [] == dispatch.cancels()
    assert not dispatch.is_cancelling


def test_a_daemon_that_knows_nothing_gets_everything_again_in_order(dispatch):
    """What ran at the earlier one takes no place at this one, and what it accepted has to be accepted anew."""
    _, accepted, sent, unsent = add(dispatch, 1, 2, 3, 4)
    take(dispatch, 3)
    dispatch.note("k1", "withdrawn")
    dispatch.note("k2", "accepted")
    told = dispatch.reconnect(resumed=False)
    again = take(dispatch, 3)
    dispatch.reconnect(resumed=True)

    assert [accepted, sent, unsent] == told == again
    assert again == take(dispatch, 3)
    assert [3, 3, 2] == [accepted.sent, sent.sent, unsent.sent]


def test_a_daemon_that_resumes_gets_again_what_it_may_not_have(dispatch):
    """A call that it has not accepted takes one place, not two; what runs there keeps its own."""
    withdrawn, _, sent = add(dispatch, 1, 2, 3)
    take(dispatch, 3)
    dispatch.note("k1", "withdrawn")
    dispatch.note("k2", "accepted")
    dispatch.reconnect(resumed=True)
    full = take(dispatch, 2)

    assert [] == full
    assert [sent] == take(dispatch, 3)
    assert 1 == withdrawn.sent
