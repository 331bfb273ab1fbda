"""The meters of one daemon: an instrument for each family, and one snapshot of them all. Pure."""

from collections.abc import Container, Mapping
from typing import Final, TypeVar

import attrs

from exai_trio import structs

from .families import FAMILIES, Family
from .instruments import ANYTHING, Asked, Counter, Histogram, Instrument, Read, Room
from .readings import Snapshot

MOST_SERIES: Final = 2_000

Kind = TypeVar("Kind", bound=Instrument)


@structs.define(eq=False)
class Meters:
    """`sets` has, by label, what its values may be; a label that is not named there has few values by itself."""

    sets: Mapping[str, Container[str]] = attrs.field(factory=dict[str, Container[str]])
    families: tuple[Family, ...] = FAMILIES
    most: int = MOST_SERIES
    _instruments: dict[str, Instrument] = attrs.field(factory=dict[str, Instrument], init=False)
    _room: Room = attrs.field(
        default=attrs.Factory(
            lambda self: Room(self.most - sum(each.samples for each in self.families)),
            takes_self=True,
        ),
        init=False,
    )

    def counter(self, name: str) -> Counter:
        """Raises KeyError where there is no such family."""
        return self._instrument(name, Counter)

    def histogram(self, name: str) -> Histogram:
        """Raises KeyError where there is no such family."""
        return self._instrument(name, Histogram)

    def read(self, name: str, source: Read) -> None:
        """From now on a gauge, or a counter that somebody else keeps, is what `source` says when it is asked. Raises KeyError where there
        is no such family."""
        self._instrument(name, Asked).sources.append(source)

    def snapshot(self, *names: str) -> Snapshot:
        """What these families say now, or all: a copy. A family that nobody counts or tells is not in it."""
        asked = self._instruments.keys() & names if names else self._instruments
        return Snapshot({name: self._instruments[name].reading() for name in asked})

    def _instrument(self, name: str, kind: type[Kind]) -> Kind:
        there = self._instruments.get(name)
        if isinstance(there, kind):
            return there
        if there is not None:
            raise KeyError(f"{name} is kept in another way")
        family = {each.name: each for each in self.families}[name]
        sets = tuple(self.sets.get(label, ANYTHING) for label in family.labels)
        made = kind(family, sets, self._room)
        self._instruments[name] = made
        return made
