"""Who hears of what happens in a daemon, and in which order: the meters first, then what is written down."""

from exai_trio.observability.call_files import CallFiles
from exai_trio.observability.event_hub import EventHub
from exai_trio.observability.meters.event_meters import event_takes
from exai_trio.observability.meters.meter_set import Meters

from .call_keeping import CallKeeping


def attach_sinks(events: EventHub, meters: Meters, files: CallFiles, keeping: CallKeeping) -> None:
    """Whoever is added later hears of each event after these."""
    events.add("meters", event_takes(meters))
    events.add("call files", files.takes())
    events.add("calls table", keeping.takes())
    for dropped in (events.dropped_by_sink, files.dropped, keeping.dropped_by_sink):
        meters.read("events_dropped_total", dropped)
