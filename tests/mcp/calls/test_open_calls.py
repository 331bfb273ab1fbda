"""The table of open calls: who waits for what."""

import msgspec

from exai_trio.mcp.calls.open_calls import OpenCalls, Requester, opened
from exai_trio.mcp.params import Call
from exai_trio.mcp.versions import Dialect

DIALECT = Dialect("2025-06-18")
ARGUMENTS = b'{"prompt": "x"}'


def request(id_=1, name="chat", arguments=ARGUMENTS):
    return Call(id=id_, name=name, arguments=msgspec.Raw(arguments), dialect=DIALECT, client="")


def requester(id_):
    return Requester(id_, DIALECT, None, deadline=9.0)


def add(calls, *ids):
    """Calls with the keys k1, k2, …, each with one requester."""
    new = [opened(request(id_), f"k{id_}", None) for id_ in ids]
    for id_, call in zip(ids, new, strict=True):
        calls.add(call, requester(id_))
    return new


def test_a_call_is_what_its_name_and_its_arguments_say():
    """Another tool with the same arguments is another call."""
    call = opened(request(), "k", None)

    assert call.is_same(request(2))
    assert not call.is_same(request(name="debug"))
    assert not call.is_same(request(arguments=b"{}"))


def test_a_call_without_an_answer_says_what_is_known_of_its_work():
    """Never sent, taken by a daemon, or sent and not heard of."""
    call = opened(request(), "k", None)
    never = call.whether_ran
    call.sent = 1
    sent = call.whether_ran
    call.accepted = True

    assert "did not run" in never
    assert "not known" in sent
    assert "told to cancel" in call.whether_ran


def test_the_bytes_of_a_call_are_held_while_it_is_open():
    """Once, however many ask for it, and however it leaves."""
    calls = OpenCalls()
    settled, left = add(calls, 1, 2)
    calls.join(settled, requester(4))
    held = [calls.bytes_held]
    calls.close("k1")
    held.append(calls.bytes_held)
    calls.leave(2)
    held.append(calls.bytes_held)

    assert [2 * len(ARGUMENTS), len(ARGUMENTS), 0] == held
    assert [None] * 2 == [calls.get(call.key) for call in (settled, left)]
    assert 0 == len(calls)


def test_a_requester_that_leaves_leaves_the_call_to_the_others():
    """The last one takes it along."""
    calls = OpenCalls()
    (call,) = add(calls, 1)
    calls.join(call, requester(3))
    calls.leave(1)
    shared = calls.get("k1")
    calls.leave(3)

    assert (call, None) == (shared, calls.get("k1"))
    assert None is calls.leave(3)


def test_it_shows_its_state():
    """A line of a log says what is open."""
    calls = OpenCalls()
    (call,) = add(calls, 1)
    calls.join(call, requester(2))

    assert "<OpenCall k1 chat sent=0 requesters=2>" == repr(call)
    assert f"<OpenCalls requests=2 calls=1 bytes={len(ARGUMENTS)}>" == repr(calls)
