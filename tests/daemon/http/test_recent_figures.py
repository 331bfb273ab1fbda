"""The figures of the last minute: only those families are read that are shown, and none that is shown is left out."""

from collections import deque
from types import SimpleNamespace

from exai_trio.daemon.http.recent_figures import measured
from exai_trio.observability.meters.families import FAMILIES
from exai_trio.observability.meters.meter_set import Meters


def all_counted():
    """Meters in which each family says something."""
    meters = Meters()
    for family in FAMILIES:
        labels = ["ok" for _ in family.labels]
        if family.kind == "counter":
            meters.counter(family.name).add(*labels, amount=2)
        elif family.kind == "histogram":
            meters.histogram(family.name).observe(0.2, *labels)
        else:
            meters.read(family.name, lambda labels=labels: {tuple(labels): 3.0})
    return meters


def looked_at(snapshot):
    report = SimpleNamespace(meters=SimpleNamespace(snapshot=snapshot), began=0.0)
    return measured(SimpleNamespace(report=report, recent=deque()))


async def test_what_is_shown_is_what_all_families_say():
    meters, asked = all_counted(), []
    told = looked_at(lambda *names: (asked.append(names), meters.snapshot(*names))[1])

    assert told == looked_at(lambda *_names: meters.snapshot())
    assert None not in told.values()
    assert 0 < len(asked[0]) < len(FAMILIES)
