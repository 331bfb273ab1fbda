"""What can happen to the journal of calls, as values that are written to its log. Pure: no trio, no clock, no I/O."""

from typing import Final

import msgspec

from exai_trio.storage.journal import KeptCall, KeptOutcome, NoHandles


class Event(msgspec.Struct, array_like=True):
    """Something that changes the journal."""


class Accepted(Event, tag="accepted"):
    """A new call, in the place of an older one of its id."""

    call: KeptCall


class RunAgain(Event, tag="run again"):
    """One more run of a kept call."""

    session: str
    request: str


class Finished(Event, tag="finished"):
    """The outcome of a kept call; of one that has an outcome, or is not there, it is nothing."""

    session: str
    request: str
    outcome: KeptOutcome


class HandedOver(Event, tag="handed over"):
    """A kept call ends with `outcome`, and its work goes on as the call `to`."""

    session: str
    request: str
    outcome: KeptOutcome
    to: KeptCall


class Acknowledged(Event, tag="acknowledged"):
    """The clients of sessions that have calls here have all frames up to these numbers; what they are sure of, by session."""

    acks: dict[str, int]
    sure: dict[str, NoHandles] = {}


class NumberedFrom(Event, tag="numbered from"):
    """A new life of a session gives only numbers above `base`."""

    session: str
    base: int


AnyEvent = Accepted | RunAgain | Finished | HandedOver | Acknowledged | NumberedFrom


class _BriefCall(msgspec.Struct):
    """What an index asks of a call; the frames stay unread."""

    session: str
    request: str
    lasting: bool = False


class _BriefOutcome(msgspec.Struct):
    seq: int


class _AcceptedBriefly(Accepted, tag="accepted"):
    call: _BriefCall  # type: ignore[assignment]  # as much of it as is read


class _FinishedBriefly(Finished, tag="finished"):
    outcome: _BriefOutcome  # type: ignore[assignment]  # as above


class _HandedOverBriefly(HandedOver, tag="handed over"):
    outcome: _BriefOutcome  # type: ignore[assignment]  # as above
    to: _BriefCall  # type: ignore[assignment]  # as above


_Brief = (
    _AcceptedBriefly
    | RunAgain
    | _FinishedBriefly
    | _HandedOverBriefly
    | Acknowledged
    | NumberedFrom
)

encode: Final = msgspec.msgpack.Encoder().encode
_decoder: Final = msgspec.msgpack.Decoder[AnyEvent](AnyEvent)
_skimmer: Final = msgspec.msgpack.Decoder[_Brief](_Brief)


def decode(body: bytes | memoryview) -> AnyEvent:
    """Raises msgspec.MsgspecError."""
    event: AnyEvent = _decoder.decode(body)
    return event


def skim(body: bytes | memoryview) -> AnyEvent:
    """As much of it as an index asks for: of calls no more than names and `lasting`, of outcomes the number. Raises
    msgspec.MsgspecError."""
    event: AnyEvent = _skimmer.decode(body)
    return event
