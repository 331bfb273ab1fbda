"""Misbehaviour as steps: what is sent, where it stops, in a table. No sockets."""

import pytest

from exai_trio.simulator.faults import Fault, fault_in
from exai_trio.simulator.server.response_script import (
    COMMENT,
    DONE,
    Cut,
    End,
    Hang,
    Send,
    Start,
    Wait,
    body_steps,
    stream_steps,
)

EVENTS = [{"n": 0}, {"n": 1}, {"n": 2}]
E0, E1, E2 = (Send(b'data: {"n":%d}\n\n' % number) for number in range(3))
ERROR = Send(b'data: {"error":1}\n\n')


def stream(directive):
    fault = fault_in(f"[[simulate: {directive}]]")
    steps = list(stream_steps(iter(EVENTS), fault, {"error": 1}))
    return ["start" if isinstance(step, Start) else step for step in steps]


@pytest.mark.parametrize(
    ("directive", "expected"),
    [
        ("", ["start", E0, E1, E2, Send(DONE), End()]),
        ("delay=2", [Wait(2.0), "start", E0, E1, E2, Send(DONE), End()]),
        ("drop", [Cut()]),
        ("hang", [Hang()]),
        ("delay=1 hang", [Wait(1.0), Hang()]),
        ("hang=2", ["start", E0, E1, Hang()]),
        ("hang=1 comments", ["start", Send(COMMENT), E0, Hang(comments=True)]),
        ("cut_after=1", ["start", E0, Cut()]),
        ("cut_after=0", ["start", Cut()]),
        ("cut_after=9", ["start", E0, E1, E2, Cut()]),
        ("end_after=1", ["start", E0, End()]),
        ("end_after=9", ["start", E0, E1, E2, End()]),
        ("no_done", ["start", E0, E1, E2, End()]),
        ("broken_json", ["start", E0, Send(b'data: {"n\n\n'), E2, Send(DONE), End()]),
        ("error_event=2", ["start", E0, E1, ERROR, End()]),
        ("drip=0.5", ["start", Wait(0.5), E0, Wait(0.5), E1, Wait(0.5), E2, Send(DONE), End()]),
        ("comments", ["start", Send(COMMENT), E0, Send(COMMENT), E1, Send(COMMENT), E2, Send(DONE), End()]),
    ],
)  # fmt: skip
def test_streams(directive, expected):
    """Each fault is a different list of steps."""
    assert stream(directive) == expected


def test_pieces_ignore_the_borders_of_events():
    """The same bytes, cut anywhere."""
    steps = list(stream_steps([{"t": "äöü€"}] * 3, Fault(piece=5), {}))

    whole = [step.data for step in stream_steps([{"t": "äöü€"}] * 3, Fault(), {}) if isinstance(step, Send)]  # fmt: skip
    sent = [step.data for step in steps if isinstance(step, Send)]
    assert b"".join(sent) == b"".join(whole)
    assert {len(data) for data in sent[:-1]} == {5}
    assert steps[-1] == End()


@pytest.mark.parametrize(
    ("directive", "expected"),
    [
        ("", [Send(b"0123456789"), End()]),
        ("cut_after=1", [Send(b"01234"), Cut()]),
        ("hang=1", [Send(b"01234"), Hang()]),
        ("broken_json", [Send(b"01234"), End()]),
        ("drip=1", [Wait(1.0), Send(b"0123456789"), End()]),
    ],
)
def test_plain_bodies(directive, expected):
    """The same faults in an answer that is no stream."""
    fault = fault_in(f"[[simulate: {directive}]]")

    start, *rest = body_steps(200, (), b"0123456789", fault)
    assert isinstance(start, Start)
    assert rest == expected


def test_broken_body_is_complete_http():
    """Only the JSON is broken; the length is right."""
    start = next(body_steps(200, (), b"0123456789", Fault(broken_json=1)))

    assert start == Start(200, (("content-length", "5"),))
