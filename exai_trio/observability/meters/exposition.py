"""The meters as Prometheus reads them: its text format, or OpenMetrics where that is asked for. Pure.

Written here, since the usual library would hold up the event loop for as long as a hundred calls take.
"""

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final

from .families import BOUNDS, FAMILIES, Family
from .readings import Distribution, Snapshot, Value

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_LIMITS: Final = (*(f"{bound:g}" for bound in BOUNDS), "+Inf")
_TOTAL: Final = "_total"


def media_for(accept: str) -> str:
    """What whoever accepts this is given."""
    return OPEN_METRICS if "application/openmetrics-text" in accept else TEXT


def exposition(said: Snapshot, media: str = TEXT, families: Iterable[Family] = FAMILIES) -> bytes:
    """All families, each with HELP and TYPE, also those that nobody measures; what could not be told is left out."""
    is_open = media == OPEN_METRICS
    lines = [line for family in families for line in _family(family, said, is_open=is_open)]
    return "\n".join([*lines, *(["# EOF"] if is_open else []), ""]).encode()


def _family(family: Family, said: Snapshot, *, is_open: bool) -> Iterator[str]:
    name = family.shown
    declared = name.removesuffix(_TOTAL) if is_open and family.kind == "counter" else name
    yield f"# HELP {declared} {family.help}"
    yield f"# TYPE {declared} {family.kind}"
    reading = said.readings.get(family.name)
    for labels, value in reading.values.items() if reading else ():
        told = ",".join(
            f'{label}="{_escaped(text)}"' for label, text in zip(family.labels, labels, strict=True)
        )
        yield from _series(name, told, value)


def _series(name: str, labels: str, value: Value) -> Iterator[str]:
    if isinstance(value, Distribution):
        yield from _histogram(name, labels, value)
    elif value is not None:
        yield f"{name}{{{labels}}} {value!r}" if labels else f"{name} {value!r}"


def _histogram(name: str, labels: str, value: Distribution) -> Iterator[str]:
    before = f"{labels}," if labels else ""
    total = 0
    for limit, total in zip(_LIMITS, accumulate(value.counts), strict=True):
        yield f'{name}_bucket{{{before}le="{limit}"}} {total}'
    end = f"{{{labels}}}" if labels else ""
    yield f"{name}_sum{end} {value.sum!r}"
    yield f"{name}_count{end} {total}"


def _escaped(text: str) -> str:
    if text.isalnum():
        return text
    whole = text.encode(errors="replace").decode()
    return whole.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
