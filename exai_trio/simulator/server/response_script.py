"""An HTTP answer as a list of steps, with every misbehaviour written into it. Pure: no trio, no clock, no I/O.

`playing` carries the steps out; nothing else decides what goes wrong, or when.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from exai_trio import structs

from ..faults import Fault
from ..json_fields import dumped

COMMENT = b": keep-alive\n\n"
DONE = b"data: [DONE]\n\n"
HANG_COMMENT_EVERY = 0.25  # seconds between comments of a stream that hangs but says it lives
DRIPPED = 64  # bytes of a plain body at a time
HTML = b"""<html>
<head><title>504 Gateway Time-out</title></head>
<body><center><h1>504 Gateway Time-out</h1></center><hr><center>simulated</center></body>
</html>
"""


@structs.frozen
class Start:
    status: int
    headers: tuple[tuple[str, str], ...]


@structs.frozen
class Send:
    data: bytes


@structs.frozen
class Wait:
    seconds: float


@structs.frozen
class Hang:
    """Nothing more, for ever; with comments only those."""

    comments: bool = False


@structs.frozen
class Cut:
    """The connection breaks here; before Start there is no answer at all."""


@structs.frozen
class End:
    """The answer is complete as far as HTTP is concerned."""


Step = Start | Send | Wait | Hang | Cut | End

_EVENTS = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))


def stream_steps(
    events: Iterable[dict[str, Any]], fault: Fault, error: dict[str, Any]
) -> Iterator[Step]:
    """A stream of events. `error` is what an error event says, where one is asked for."""
    steps = _opening(fault, chain((Start(200, _EVENTS),), _events(events, fault, error)))
    return _in_pieces(steps, fault.piece) if fault.piece else steps


def _opening(fault: Fault, rest: Iterable[Step]) -> Iterator[Step]:
    """What may happen before the first header."""
    if fault.delay:
        yield Wait(fault.delay)
    if fault.drop:
        yield Cut()
    elif fault.hang == 0:
        yield Hang()
    else:
        yield from rest


def _events(
    events: Iterable[dict[str, Any]], fault: Fault, error: dict[str, Any]
) -> Iterator[Step]:
    for number, event in enumerate(events):
        ending = _ending(fault, number, error)
        if ending:
            yield from ending
            return
        if fault.comments:
            yield Send(COMMENT)
        if fault.drip:
            yield Wait(fault.drip)
        data = dumped(event)
        yield Send(_event(data[: len(data) // 2] if number == fault.broken_json else data))
    last = _last_ending(fault, error)
    if last:
        yield from last
        return
    if not fault.no_done:
        yield Send(DONE)
    yield End()


def _event(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"


def _ending(fault: Fault, number: int, error: dict[str, Any]) -> tuple[Step, ...]:
    """How the stream ends before its event of this number, if it does."""
    if number == fault.cut_after:
        return (Cut(),)
    if number == fault.end_after:
        return (End(),)
    if number == fault.hang:
        return (Hang(fault.comments),)
    if number == fault.error_event:
        return (Send(_event(dumped(error))), End())
    return ()


def _last_ending(fault: Fault, error: dict[str, Any]) -> tuple[Step, ...]:
    """The same for a place beyond the end of the stream."""
    places = (fault.cut_after, fault.end_after, fault.hang, fault.error_event)
    beyond = [place for place in places if place is not None]
    return _ending(fault, min(beyond), error) if beyond else ()


def body_steps(
    status: int, headers: tuple[tuple[str, str], ...], body: bytes, fault: Fault
) -> Iterator[Step]:
    """An answer in one piece; cut and broken ones stop half way."""
    if fault.broken_json is not None:
        body = body[: len(body) // 2]
    start = Start(status, (*headers, ("content-length", str(len(body)))))
    return _opening(fault, chain((start,), _body(body, fault)))


def _body(body: bytes, fault: Fault) -> Iterator[Step]:
    if fault.cut_after is not None:
        yield Send(body[: len(body) // 2])
        yield Cut()
    elif fault.hang is not None:
        yield Send(body[: len(body) // 2])
        yield Hang()
    elif fault.drip:
        for start in range(0, len(body), DRIPPED):
            yield Wait(fault.drip)
            yield Send(body[start : start + DRIPPED])
        yield End()
    else:
        yield Send(body)
        yield End()


def _in_pieces(steps: Iterable[Step], size: int) -> Iterator[Step]:
    """The same bytes in pieces of this size, whatever the borders of events and characters."""
    held = b""
    for step in steps:
        if isinstance(step, Send):
            held += step.data
            while len(held) >= size:
                yield Send(held[:size])
                held = held[size:]
            continue
        if held:
            yield Send(held)
            held = b""
        yield step
