"""The hub hands each event to its sinks, at once and in order.

A sink never awaits and does nothing that grows with time. What it raises ends here: it is counted, and logged once for each sink.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from exai_trio import structs

from .events import Event

log = logging.getLogger("exai.events")

Take = Callable[[Any], None]
Takes = Mapping[type[Event], Take]
"""What a sink does with which kind of event."""


@structs.define(eq=False)
class EventHub:
    """`dropped` counts, by sink, the events on which it raised."""

    dropped: dict[str, int] = attrs.field(factory=dict[str, int])
    _sinks: dict[type[Event], list[tuple[str, Take]]] = attrs.field(
        factory=dict[type[Event], list[tuple[str, Take]]]
    )
    _told: set[str] = attrs.field(factory=set[str])

    def add(self, sink: str, takes: Takes) -> None:
        """From now on, and after the sinks that are there."""
        self.dropped.setdefault(sink, 0)
        for kind, take in takes.items():
            self._sinks.setdefault(kind, []).append((sink, take))

    def publish(self, event: Event) -> None:
        """Returns when every sink has had it. Raises nothing."""
        for sink, take in self._sinks.get(type(event), ()):
            try:
                take(event)
            except Exception:
                self.dropped[sink] += 1
                if sink not in self._told:
                    self._told.add(sink)
                    log.exception("sink failed", extra={"sink": sink, "kind": type(event).__name__})

    def dropped_by_sink(self) -> Mapping[tuple[str, ...], float]:
        return {(sink,): count for sink, count in self.dropped.items()}
