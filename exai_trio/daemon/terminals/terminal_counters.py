"""What is counted of terminal sessions. Pure: no trio, no clock, no I/O."""

from collections import Counter, deque
from collections.abc import Mapping
from typing import Any, Final

import attrs

from exai_trio import structs

_ATTACHES_S: Final = 60.0
_CREATIONS_S: Final = 3600.0
_REMEMBERED: Final = 10_000  # attaches


@structs.define(eq=False)
class TerminalCounters:
    """Counted since the start, but for `connections`, which are those of now; `attach_s` and `ended_s` are sums of seconds: until
    clients were attached, and of the lives of sessions that have ended."""

    created: int = 0
    failed: int = 0
    ended: int = 0
    attached: int = 0
    resumed: int = 0
    connections: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    attach_s: float = 0.0
    ended_s: float = 0.0
    errors: Counter[str] = attrs.field(factory=Counter[str])
    _attaches: deque[tuple[float, str]] = attrs.field(
        factory=lambda: deque[tuple[float, str]](maxlen=_REMEMBERED)
    )

    _creations: deque[tuple[float, bool]] = attrs.field(
        factory=lambda: deque[tuple[float, bool]](maxlen=_REMEMBERED)
    )

    def note_creation(self, now: float, *, failed: bool) -> None:
        """A session was started, or could not be, though there is such a program."""
        self.created += not failed
        self.failed += failed
        self._creations.append((now, failed))

    def note_attach(self, client: str, took_s: float, now: float, *, resumes: bool) -> None:
        """A client was attached within so many seconds; one that has an offset was so before."""
        self.attached += 1
        self.resumed += resumes
        self.attach_s += took_s
        self._attaches.append((now, client))

    def attaches_of_a_minute(self, now: float) -> Mapping[str, int]:
        """By client, which only alerts may know by name."""
        return Counter(client for at, client in self._attaches if now - at < _ATTACHES_S)

    def creations_of_an_hour(self, now: float) -> tuple[int, int]:
        """How many there were, and how many of them failed."""
        lately = [failed for at, failed in self._creations if now - at < _CREATIONS_S]
        return len(lately), sum(lately)

    def told(self) -> dict[str, Any]:
        """As a report shows it."""
        fields = attrs.asdict(self, filter=lambda field, _value: not field.name.startswith("_"))
        return fields | {"errors": dict(self.errors)}
