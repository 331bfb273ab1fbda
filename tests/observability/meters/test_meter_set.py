"""The meters: figures under closed sets of labels, bounded in number, and read as one copy."""

import pytest
from msgspec.structs import replace

from exai_trio.observability.event_hub import EventHub
from exai_trio.observability.events import CallBegun, CallEnded, CallRefused, RequestEnded
from exai_trio.observability.meters.event_meters import event_takes
from exai_trio.observability.meters.families import FAMILIES
from exai_trio.observability.meters.meter_set import Meters
from exai_trio.observability.meters.readings import Distribution

SETS = {
    "tool": {"chat", "debug"},
    "outcome": {"ok", "TIMEOUT"},
    "category": {"timeout"},
    "reason": {"OVER_CAPACITY"},
    "provider": {"glm"},
    "model": {"glm-4.6"},
}
ENDED = CallEnded(
    id="i", correlation_id="c", session="s", tool="chat", principal="owner", project="", provider="glm",
    model="glm-4.6", code="", category="", attempt=1, started_at=1.0, duration_ms=20.0, permit_wait_ms=0.0,
    provider_wait_ms=0.0, with_provider_ms=0.0, first_chunk_ms=None, requests=0, input_tokens=None,
    cached_tokens=None, output_tokens=None, reasoning_tokens=None, cost=None, currency="",
)  # fmt: skip


def metered(**more):
    meters, hub = Meters(SETS, **more), EventHub()
    hub.add("meters", event_takes(meters))
    return meters, hub


def ended(**fields):
    return replace(ENDED, **fields)


def test_events_raise_their_figures():
    """Each once, under the outcome's code."""
    meters, hub = metered()
    for event in (
        CallBegun(tool="chat"), CallBegun(tool="chat"), ended(), ended(code="TIMEOUT", category="timeout"),
        CallRefused(tool="chat", code="OVER_CAPACITY", category="capacity"),
        RequestEnded(provider="glm", model="glm-4.6", outcome="ok", permit_wait_s=0.0, duration_s=2.0, input_tokens=7, output_tokens=3),
    ):  # fmt: skip
        hub.publish(event)
    said = meters.snapshot()

    assert {"ok": 1, "TIMEOUT": 1} == said.by("calls_total", "outcome")
    assert 2 == said.total("calls_accepted_total") == said.total("call_duration_seconds")
    assert 1 == said.total("errors_total", category="timeout") == said.total("calls_refused_total")
    assert {"input": 7, "output": 3} == said.by("tokens_total", "type")


def test_waits_are_counted_by_what_was_waited_for():
    """The one for the journal under two names, and by none where the journal was not asked."""
    meters, hub = metered()
    for event in (ended(permit_wait_ms=20.0), ended(journal_wait_ms=2.0), ended(journal_wait_ms=70.0, requests=1)):  # fmt: skip
        hub.publish(event)
    said = meters.snapshot()
    waits = {cause: said.distribution("call_wait_seconds", **{"for": cause}) for cause in ("permit", "provider", "journal")}  # fmt: skip

    assert {"permit": 3, "provider": 1, "journal": 2} == {cause: one.count for cause, one in waits.items()}  # fmt: skip
    assert waits["journal"] == said.distribution("journal_commit_seconds")
    assert 0.072 == pytest.approx(waits["journal"].sum)


def test_what_nobody_measures_is_none_and_what_never_was_is_zero():
    """A counter that was never raised is 0; a family without a source is None, also in part."""
    meters, _ = metered()
    meters.read("store_up", lambda: None)
    said = meters.snapshot()

    assert (0, 0) == (said.total("calls_total"), said.total("bugs_total"))
    assert (None, None) == (said.total("incidents_open"), said.total("store_up"))
    assert said.distribution("call_duration_seconds").percentile(0.5) is None


def test_names_beyond_the_closed_sets_are_counted_as_other():
    """Whatever clients name, by the thousand: one series more."""
    meters, hub = metered()
    for number in range(5000):
        hub.publish(ended(tool=f"junk{number}", code=f"E{number}", category=f"c{number}"))
    said = meters.snapshot()

    assert {("other", "other"): 5000} == said.readings["calls_total"].values
    assert {("timeout",): 0, ("other",): 5000} == said.readings["errors_total"].values


def test_there_are_never_more_series_than_allowed():
    """Beyond the room the rest is `other`, and nothing is lost; each line of a histogram counts."""
    meters = Meters()
    requests, times = meters.counter("provider_requests_total"), meters.histogram("call_duration_seconds")  # fmt: skip
    for number in range(3000):
        requests.add("p", f"m{number}", "ok")
        times.observe(1.0, f"t{number}")
    said = meters.snapshot()
    lines = sum(len(r.values) * r.family.samples for r in said.readings.values())

    assert lines <= 2000
    assert 3000 == said.total("provider_requests_total") == said.total("call_duration_seconds")


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, None), (0.5, 0.005), (0.75, 0.0075), (1.0, 0.01)]
)
def test_percentiles_come_from_buckets(share, expected):
    """Evenly spread within a bucket; beyond the last bound it is that."""
    assert expected == Distribution((2, 2, *[0] * 15), 0.03).percentile(share)
    assert 600.0 == Distribution((*[0] * 16, 1), 9e9).percentile(0.5)


def test_a_source_that_raises_costs_its_own_sample_alone(caplog):
    """The others are read, also of the same family; it is logged once until it can be told again."""
    told = {"fails": True}

    def source():
        if told["fails"]:
            raise OSError("no")
        return {("glm",): 1.0}

    meters, _ = metered()
    meters.read("permits", source)
    meters.read("permits", lambda: {("global",): 4.0})
    meters.read("sessions", lambda: 3)
    seen = [meters.snapshot(), meters.snapshot()]
    told["fails"] = False
    after = meters.snapshot()
    told["fails"] = True
    seen.append(meters.snapshot())

    assert [({"global": 4.0}, 3)] * 3 == [(each.by("permits", "limit"), each.total("sessions")) for each in seen]  # fmt: skip
    assert {"global": 4.0, "glm": 1.0} == after.by("permits", "limit")
    assert ["a figure cannot be read"] * 2 == [record.message for record in caplog.records]


def test_what_was_added_since_is_the_difference():
    """Counters and histograms are subtracted, also a series that is new; gauges are as they are."""
    meters, hub = metered()
    meters.read("sessions", lambda: 3)
    hub.publish(ended())
    before = meters.snapshot()
    hub.publish(ended(tool="debug"))
    hub.publish(ended())
    since = meters.snapshot().since(before)

    assert {"chat": 1, "debug": 1} == since.by("calls_total", "tool")
    assert 2 == since.distribution("call_duration_seconds").count
    assert 3 == since.total("sessions")


def test_a_name_stands_for_one_family():
    """Of one kind, with labels that are not said twice."""
    names = [family.name for family in FAMILIES]

    assert len(names) == len(set(names))
    assert all(len(set(family.labels)) == len(family.labels) for family in FAMILIES)
    meters = Meters()
    meters.counter("bugs_total")
    with pytest.raises(KeyError):
        meters.read("bugs_total", lambda: 1)
    with pytest.raises(KeyError):
        meters.counter("bugs")
