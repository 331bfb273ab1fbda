"""What is counted of terminal sessions, and what of it is alarming. Pure: no trio, no clock, no I/O."""

from collections import Counter, deque
from collections.abc import Iterator
from typing import Any, Final

import attrs

from exai_trio import structs

_ATTACHES_S: Final = 60.0
_MOST_ATTACHES: Final = 10  # of one client in that time
_LEAST_CREATIONS: Final = 20
_MOST_FAILED: Final = 0.01
_MOST_CONNECTIONS: Final = 1000
_REMEMBERED: Final = 10_000  # attaches


@structs.define(eq=False)
class TerminalCounters:
    """Counted since the start; `connections` and `ended_s` (the sum of the sessions' lives, in seconds) are of now."""

    created: int = 0
    failed: int = 0
    ended: int = 0
    attached: int = 0
    resumed: int = 0
    connections: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    attach_s: float = 0.0  # the sum
    ended_s: float = 0.0
    errors: Counter[str] = attrs.field(factory=Counter[str])
    _attaches: deque[tuple[float, str]] = attrs.field(
        factory=lambda: deque[tuple[float, str]](maxlen=_REMEMBERED)
    )

    def note_attach(self, client: str, took_s: float, now: float, *, resumes: bool) -> None:
        """A client was attached within so many seconds; one that has an offset was so before."""
        self.attached += 1
        self.resumed += resumes
        self.attach_s += took_s
        self._attaches.append((now, client))

    def alarms(self, now: float) -> Iterator[tuple[str, str]]:
        """What is wrong: how bad it is, and in words."""
        recent = Counter(client for at, client in self._attaches if now - at < _ATTACHES_S)
        if recent and max(recent.values()) > _MOST_ATTACHES:
            yield (
                "critical",
                f"a terminal client attached {max(recent.values())} times within a minute",
            )
        tried = self.created + self.failed
        if tried >= _LEAST_CREATIONS and self.failed > _MOST_FAILED * tried:
            yield "high", f"{self.failed} of {tried} terminal sessions could not be started"
        if self.connections > _MOST_CONNECTIONS:
            yield "medium", f"there are {self.connections} terminal connections"

    def told(self) -> dict[str, Any]:
        """As a report shows it."""
        fields = attrs.asdict(self, filter=lambda field, _value: not field.name.startswith("_"))
        return fields | {"errors": dict(self.errors)}
