"""The hub: each sink hears of each event, in order, whatever the others do."""

import logging

from exai_trio.observability.event_hub import EventHub
from exai_trio.observability.events import CallBegun, CallLeft, JobRan

BEGUN = CallBegun(tool="chat")


def test_sinks_hear_in_order_of_what_they_take():
    """A sink hears nothing that it did not ask for."""
    hub, heard = EventHub(), []
    hub.add("first", {CallBegun: lambda event: heard.append(("first", event))})
    hub.add(
        "second",
        dict.fromkeys((CallBegun, CallLeft), lambda event: heard.append(("second", event))),
    )
    left = CallLeft(tool="chat")
    hub.publish(BEGUN)
    hub.publish(left)

    assert [("first", BEGUN), ("second", BEGUN), ("second", left)] == heard


def test_a_sink_that_raises_costs_nobody_anything(caplog):
    """The publisher goes on, the others hear; each fault is counted, the first is logged."""
    hub, heard = EventHub(), []
    hub.add("broken", {CallBegun: lambda _: 1 / 0, JobRan: lambda _: 1 / 0})
    hub.add("sound", {CallBegun: heard.append})
    with caplog.at_level(logging.ERROR, "exai.events"):
        for _ in range(3):
            hub.publish(BEGUN)
        hub.publish(JobRan(job="j", result="ok", duration_s=0.0))

    assert [BEGUN] * 3 == heard
    assert {("broken",): 4, ("sound",): 0} == hub.dropped_by_sink()
    assert ["broken"] == [record.sink for record in caplog.records]
