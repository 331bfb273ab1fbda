"""The states of a call: every pair of a state and an event is either in the table or refused, and every state can be left."""

from itertools import product
from typing import get_args

import attrs
import pytest

from exai_trio.daemon.calls.call import Call
from exai_trio.daemon.calls.states import CANCELLABLE, NEXT, OVER, SETTLED, WORKING, Event, State
from exai_trio.system.change import Change

EVENTS = get_args(Event)


@attrs.define
class Standing:
    """As much of a call as its state needs."""

    state: State
    changed: Change = attrs.field(factory=Change)
    advance = Call.advance


@pytest.mark.parametrize(("state", "event"), list(product(State, EVENTS)))
def test_what_is_not_in_the_table_cannot_happen(state, event):
    """It is a fault of ours, and leaves the call as it is."""
    call = Standing(state)
    if event in NEXT[state]:
        call.advance(event)
        assert NEXT[state][event] is call.state
    else:
        with pytest.raises(KeyError):
            call.advance(event)
        assert state is call.state


def test_every_call_can_come_to_an_end():
    """From each state one that nothing follows can be reached; each state can be reached; each event happens."""
    ends = {state: {state} for state in OVER}
    for _ in State:
        for state, events in NEXT.items():
            ends[state] = set().union(*(ends.get(to, set()) for to in events.values()), ends.get(state, set()))  # fmt: skip
    reached = {to for events in NEXT.values() for to in events.values()} | {State.ADMITTED}

    assert all(ends[state] for state in State)
    assert set(State) == set(NEXT) == reached
    assert set(EVENTS) == {event for events in NEXT.values() for event in events}


def test_what_is_over_is_nothing_else():
    """The sets of states by which others act say what the table says."""
    assert {State.REFUSED, State.ENDED, State.LEFT_OPEN, State.PASSED_ON} == OVER
    assert SETTLED < WORKING < CANCELLABLE
    assert CANCELLABLE.isdisjoint({State.RECORDING, State.LATE, *OVER})
    assert {state for state in State if "ended" in NEXT[state]} == WORKING
    assert {state for state in State if "transferred" in NEXT[state]} == SETTLED


def test_nobody_is_told_twice():
    """After its outcome a call works no more, in whatever order things happen."""
    after = {State.RECORDING}
    for _ in State:
        after |= {to for state in after for to in NEXT[state].values()}

    assert after == {State.RECORDING, State.LATE, State.ENDED}
