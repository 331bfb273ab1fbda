"""The table of open calls: who waits for what, what is to be sent, and what the daemon still runs."""

import msgspec
import pytest

from exai_trio.mcp.open_calls import Asker, Pending, opened
from exai_trio.mcp.params import Call
from exai_trio.mcp.versions import Dialect

DIALECT = Dialect("2025-06-18")
ARGUMENTS = b'{"prompt": "x"}'


def request(id_=1, name="chat", arguments=ARGUMENTS):
    return Call(id=id_, name=name, arguments=msgspec.Raw(arguments), dialect=DIALECT, client="")


def asker(id_):
    return Asker(id_, DIALECT, None, deadline=9.0)


@pytest.fixture
def pending():
    return Pending()


def add(pending, *ids):
    """Calls with the keys k1, k2, …, each with one asker."""
    calls = [opened(request(id_), f"k{id_}", None) for id_ in ids]
    for id_, call in zip(ids, calls, strict=True):
        pending.add(call, asker(id_))
    return calls


def test_a_call_is_what_its_name_and_its_arguments_say():
    """Another tool with the same arguments is another call."""
    call = opened(request(), "k", None)

    assert call.is_same(request(2))
    assert not call.is_same(request(name="debug"))
    assert not call.is_same(request(arguments=b"{}"))


def test_a_call_without_an_answer_says_what_is_known_of_its_work(pending):
    """Never sent, taken by a daemon, or sent and not heard of."""
    (call,) = add(pending, 1)
    never = call.whether_ran
    pending.to_send(1)
    sent = call.whether_ran
    call.accepted = True

    assert "did not run" in never
    assert "not known" in sent
    assert "told to cancel" in call.whether_ran


def test_the_bytes_of_a_call_are_held_while_it_is_open(pending):
    """Once, however many ask for it, and however it leaves."""
    settled, expired, withdrawn = add(pending, 1, 2, 3)
    pending.join(settled, asker(4))
    held = [pending.bytes_held]
    pending.settle("k1")
    held.append(pending.bytes_held)
    pending.expire(2)
    pending.withdraw(3)
    held.append(pending.bytes_held)

    assert [3 * len(ARGUMENTS), 2 * len(ARGUMENTS), 0] == held
    assert [None] * 3 == [pending.get(call.key) for call in (settled, expired, withdrawn)]
    assert 0 == len(pending)


def test_an_asker_that_has_been_answered_leaves_the_call_to_the_others(pending):
    """The last one takes it along; what runs goes on, and has its place until it has ended."""
    call, other = add(pending, 1, 2)
    pending.join(call, asker(3))
    pending.to_send(1)
    pending.expire(1)
    shared = pending.get("k1")
    pending.expire(3)
    left = pending.get("k1")
    full = pending.to_send(1)
    pending.settle("k1")

    assert (call, None, []) == (shared, left, full)
    assert [] == pending.cancels()
    assert [other] == pending.to_send(1)


def test_what_left_before_it_was_sent_is_never_sent(pending):
    """Nor is it cancelled."""
    add(pending, 1)
    unsent = pending.has_unsent
    pending.withdraw(1)

    assert unsent
    assert not pending.has_unsent
    assert ([], []) == (pending.to_send(9), pending.cancels())


def test_a_cancel_is_sent_once_on_each_connection(pending):
    """Until the daemon has said how the call ended, or does not know it any more."""
    add(pending, 1, 2)
    pending.to_send(9)
    pending.withdraw(1)
    first = [pending.cancels(), pending.cancels()]
    pending.withdraw(2)
    second = pending.cancels()
    pending.reconnected(resumed=True)
    again = pending.cancels()
    pending.settle("k1")
    pending.reconnected(resumed=True)
    unsettled = pending.cancels()
    pending.reconnected(resumed=False)

    assert [["k1"], []] == first
    assert ["k2"] == second
    assert ["k1", "k2"] == again
    assert ["k2"] == unsettled
    assert [] == pending.cancels()


def test_a_call_that_ended_is_not_cancelled(pending):
    """Also if its asker has left just before."""
    add(pending, 1)
    pending.to_send(9)
    pending.withdraw(1)
    pending.settle("k1")

    assert [] == pending.cancels()


def test_a_daemon_that_knows_nothing_gets_everything_again_in_order(pending):
    """What ran at the earlier one takes no place at this one, and what it accepted has to be accepted anew."""
    gone, accepted, sent, unsent = add(pending, 1, 2, 3, 4)
    pending.to_send(3)
    pending.withdraw(1)
    accepted.accepted = True
    pending.reconnected(resumed=False)
    again = pending.to_send(3)
    pending.reconnected(resumed=True)

    assert [accepted, sent, unsent] == again
    assert gone not in again
    assert [accepted, sent, unsent] == pending.to_send(3)


def test_a_daemon_that_resumes_gets_again_what_it_may_not_have(pending):
    """A call that it has not accepted takes one place, not two; what runs there keeps its own."""
    withdrawn, accepted, sent = add(pending, 1, 2, 3)
    pending.to_send(3)
    pending.withdraw(1)
    pending.accept(accepted.key)
    pending.reconnected(resumed=True)
    full = pending.to_send(2)

    assert [] == full
    assert [sent] == pending.to_send(3)
    assert 1 == withdrawn.sent


@pytest.mark.parametrize("came", [False, True])
def test_a_call_that_was_given_up_takes_a_place_only_where_it_runs(pending, came):
    """One that was lost on its way is never heard of again; one that was accepted will be, however late."""
    lost, _ = add(pending, 1, 2)
    pending.to_send(1)
    pending.expire(1)
    if came:
        pending.accept(lost.key)
    pending.reconnected(resumed=True)
    next_ones = pending.to_send(1)
    pending.settle(lost.key)

    assert came == (next_ones == [])
    assert came == (pending.to_send(1) != [])
