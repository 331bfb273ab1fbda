"""Readings as bytes, to be kept: what did not change takes no room. Pure."""

from collections.abc import Collection, Iterable
from typing import Any, Final

import msgspec

from .families import BOUNDS, FAMILIES, Family
from .readings import Distribution, Reading, Snapshot, Value

_FAMILIES: Final = {family.name: family for family in FAMILIES}
_SIZE: Final = len(BOUNDS) + 1
# By family the labels and values: a number, or the sum of a histogram and then, by bucket, how many.
_Packed = dict[str, list[tuple[tuple[str, ...], float | tuple[float, dict[int, int]]]]]
_decode: Final = msgspec.msgpack.Decoder(_Packed).decode


def pack(said: Snapshot) -> bytes:
    """Without what is 0, or could not be told."""
    packed = {name: _series(reading) for name, reading in said.readings.items()}
    return msgspec.msgpack.encode({name: series for name, series in packed.items() if series})


def _series(reading: Reading) -> list[Any]:
    return [(labels, _value(value)) for labels, value in reading.values.items() if _is_news(value, reading.family)]  # fmt: skip


def _is_news(value: Value, family: Family) -> bool:
    """A gauge that is 0 was 0; a counter that is 0 was not raised."""
    if isinstance(value, Distribution):
        return any(value.counts)
    return value is not None and (value != 0 or family.kind == "gauge")


def _value(value: Value) -> object:
    if isinstance(value, Distribution):
        return value.sum, {place: count for place, count in enumerate(value.counts) if count}
    return value


def unpack(packed: bytes, names: Collection[str] = ()) -> Snapshot:
    """These families, or all; without those that are no more, or have other labels now. Raises msgspec's errors for what was not packed
    here."""
    found: dict[str, Reading] = {}
    for name, series in _decode(packed).items():
        family = _FAMILIES.get(name)
        if family is not None and (not names or name in names):
            fits = len(family.labels)
            found[name] = Reading(
                family,
                {labels: _unpacked(value) for labels, value in series if len(labels) == fits},
            )
    return Snapshot(found)


def _unpacked(value: float | tuple[float, dict[int, int]]) -> Value:
    if isinstance(value, tuple):
        total, counts = value
        return Distribution(tuple(counts.get(place, 0) for place in range(_SIZE)), total)
    return value


def added(steps: Iterable[Snapshot]) -> Snapshot:
    """Steps that follow each other as one: gauges are those of the last that has them."""
    whole: dict[str, dict[tuple[str, ...], Value]] = {}
    for step in steps:
        for name, reading in step.readings.items():
            values = whole.setdefault(name, {})
            if reading.family.kind == "gauge":
                values |= reading.values
            else:
                for labels, value in reading.values.items():
                    values[labels] = _sum(values.get(labels), value)
    return Snapshot({name: Reading(_FAMILIES[name], values) for name, values in whole.items()})


def _sum(one: Value, other: Value) -> Value:
    if isinstance(one, Distribution) and isinstance(other, Distribution):
        return one.plus(other)
    if isinstance(one, float | int) and isinstance(other, float | int):
        return one + other
    return other if one is None else one
