"""Which client is in which session, from what is published of connections: for as long as the session lives."""

from collections.abc import Callable
from typing import Any

import attrs

from exai_trio import structs
from exai_trio.observability.event_hub import Takes
from exai_trio.observability.events import (
    ConnectionClosed,
    ConnectionOpened,
    SessionEnded,
    SessionOpened,
)
from exai_trio.observability.times import rfc3339


@structs.define(kw_only=True)
class _Entry:
    """Times are unix seconds; `away_since` is None while its client is there."""

    opened_at: float
    client: str = ""
    version: str = ""
    address: str = ""
    connections: int = 0
    open: int = 0
    away_since: float | None = None


@structs.define(eq=False)
class SessionBook:
    """A sink of events; `now` is unix seconds. What is known of a session goes with it."""

    now: Callable[[], float]
    _entries: dict[str, _Entry] = attrs.field(factory=dict[str, _Entry])

    def takes(self) -> Takes:
        return {
            SessionOpened: self._opened,
            SessionEnded: self._ended,
            ConnectionOpened: self._connected,
            ConnectionClosed: self._left,
        }

    def opened_at(self, session: str) -> float:
        return self._of(session).opened_at

    def told(self, session: str) -> dict[str, Any]:
        entry = self._of(session)
        away = entry.away_since
        return {
            "client": entry.client,
            "client_version": entry.version,
            "address": entry.address,
            "opened_at": rfc3339(entry.opened_at),
            "connected": entry.open > 0,
            "away_since": None if away is None else rfc3339(away),
            "resumes": max(0, entry.connections - 1),
        }

    def _of(self, session: str) -> _Entry:
        return self._entries.get(session) or _Entry(opened_at=0.0)

    def _opened(self, event: SessionOpened) -> None:
        self._entries[event.session] = _Entry(opened_at=self.now())

    def _ended(self, event: SessionEnded) -> None:
        self._entries.pop(event.session, None)

    def _connected(self, event: ConnectionOpened) -> None:
        entry = self._entries.get(event.session)
        if entry is not None:
            entry.client, entry.version = event.client, event.version
            entry.address, entry.away_since = event.address, None
            entry.connections += 1
            entry.open += 1

    def _left(self, event: ConnectionClosed) -> None:
        entry = self._entries.get(event.session)
        if entry is not None:
            entry.open -= 1
            entry.away_since = entry.away_since if entry.open > 0 else self.now()
