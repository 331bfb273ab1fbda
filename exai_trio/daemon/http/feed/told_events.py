"""The newest events, and what they add up to by kind of connection, as pages of the older system read them. Figures alone."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

import attrs

from exai_trio import structs
from exai_trio.observability.event_hub import Takes
from exai_trio.observability.events import (
    EVENTS,
    CallEnded,
    CallRefused,
    ConnectionClosed,
    ConnectionOpened,
    ConnectionRefused,
    Event,
    HelloRefused,
    RequestEnded,
)
from exai_trio.observability.times import rfc3339

KINDS: Final = ("websocket", "redis", "supabase", "kimi", "glm")
MOST_EVENTS: Final = 500
_NO_FAULT: Final = frozenset({"ok", "cancelled", ""})
# Who asked, where and with which ids is nobody's who has not logged in.
_PERSONAL: Final = frozenset(
    {"principal", "project", "session", "address", "client", "version", "id", "correlation_id", "call", "spans", "text"}
)  # fmt: skip


@structs.define
class _Sum:
    events: int = 0
    errors: int = 0
    seconds: float = 0.0
    timed: int = 0
    active: int = 0
    last_at: float | None = None


@structs.define(eq=False)
class ToldEvents:
    """A sink of all events, which keeps the newest; `now` is unix seconds. `count` only grows."""

    now: Callable[[], float]
    count: int = 0
    _newest: deque[tuple[float, Event]] = attrs.field(
        factory=lambda: deque[tuple[float, Event]](maxlen=MOST_EVENTS)
    )
    _sums: dict[str, _Sum] = attrs.field(factory=lambda: {kind: _Sum() for kind in KINDS})

    def takes(self) -> Takes:
        """What becomes of events here."""
        return {
            **dict.fromkeys(EVENTS, self._keep),
            CallEnded: self._call_ended,
            RequestEnded: self._request_ended,
            ConnectionOpened: self._opened,
            ConnectionClosed: self._closed,
            ConnectionRefused: self._refused,
            HelloRefused: self._refused,
        }

    def _keep(self, event: Event) -> None:
        self._newest.append((self.now(), event))
        self.count += 1

    def _call_ended(self, call: CallEnded) -> None:
        self._keep(call)
        self._add("websocket", failed=call.code != "", seconds=call.duration_ms / 1000)

    def _request_ended(self, request: RequestEnded) -> None:
        self._keep(request)
        if request.provider in self._sums:
            failed = request.outcome not in _NO_FAULT
            self._add(request.provider, failed=failed, seconds=request.duration_s)

    def _opened(self, event: ConnectionOpened) -> None:
        self._keep(event)
        self._sums["websocket"].active += 1
        self._add("websocket")

    def _closed(self, event: ConnectionClosed) -> None:
        self._keep(event)
        self._sums["websocket"].active -= 1
        self._add("websocket")

    def _refused(self, event: HelloRefused | ConnectionRefused) -> None:
        self._keep(event)
        self._add("websocket", failed=True)

    def _add(self, kind: str, *, failed: bool = False, seconds: float | None = None) -> None:
        """The newest event to the sum of its kind."""
        one = self._sums[kind]
        one.events += 1
        one.errors += failed
        one.last_at = self._newest[-1][0]
        if seconds is not None:
            one.timed += 1
            one.seconds += seconds

    def stats(self, kind: str | None = None) -> dict[str, Any]:
        """By kind of connection, or of one. Bytes are not measured."""
        if kind is not None:
            return _told_sum(kind, self._sums[kind])
        return {name: _told_sum(name, one) for name, one in self._sums.items()}

    def newest(self, most: int, kind: str | None = None) -> list[dict[str, Any]]:
        """Oldest first."""
        chosen = [each for each in self._newest if kind is None or kind_of(each[1]) == kind]
        return [told(at, event) for at, event in chosen[-most:]]

    def since(self, count: int, most: int) -> list[dict[str, Any]]:
        """Those that came after so many, the newest of them."""
        fresh = min(self.count - count, most, len(self._newest))
        return [told(at, event) for at, event in _last(self._newest, fresh)]


def _last(of: deque[tuple[float, Event]], count: int) -> Iterable[tuple[float, Event]]:
    return [of[i] for i in range(-count, 0)]


def kind_of(event: Event) -> str:
    return event.provider if isinstance(event, RequestEnded) else "websocket"


def told(at: float, event: Event) -> dict[str, Any]:
    """As anybody may see it."""
    names = (name for name in event.__struct_fields__ if name not in _PERSONAL)
    fields = {name: getattr(event, name) for name in names}
    if isinstance(event, CallRefused):
        fields["tool"] = str(fields["tool"])[:80]
    return {
        "timestamp": rfc3339(at),
        "connection_type": kind_of(event),
        "event": type(event).__name__,
        **fields,
    }


def _told_sum(kind: str, one: _Sum) -> dict[str, Any]:
    return {
        "connection_type": kind,
        "total_events": one.events,
        "total_sent_bytes": None,
        "total_received_bytes": None,
        "total_bytes": None,
        "total_errors": one.errors,
        "avg_response_time_ms": round(1000 * one.seconds / one.timed, 3) if one.timed else None,
        "active_connections": one.active if kind == "websocket" else None,
        "last_event_timestamp": None if one.last_at is None else rfc3339(one.last_at),
    }
