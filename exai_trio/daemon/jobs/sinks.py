"""Who hears of what happens in a daemon, and in which order: the meters first, then what is written down."""

from exai_trio.monitoring.history.history_keeping import HistoryKeeping
from exai_trio.monitoring.history.usage_counts import UsageCounts
from exai_trio.observability.call_files import CallFiles
from exai_trio.observability.event_hub import EventHub
from exai_trio.observability.events import LoopHeldUp
from exai_trio.observability.meters.event_meters import event_takes
from exai_trio.observability.meters.meter_set import Meters
from exai_trio.observability.watchdog import Watchdog
from exai_trio.storage.watching.metric_history import MetricHistory

from ..health.report import Report
from .call_keeping import CallKeeping


def attach_sinks(events: EventHub, meters: Meters, files: CallFiles, keeping: CallKeeping) -> None:
    """Whoever is added later hears of each event after these."""
    events.add("meters", event_takes(meters))
    events.add("call files", files.takes())
    events.add("calls table", keeping.takes())
    usage = keeping.history.usage
    events.add("usage", usage.takes())
    for dropped in (
        events.dropped_by_sink,
        files.dropped,
        keeping.dropped_by_sink,
        usage.dropped_by_sink,
    ):
        meters.read("events_dropped_total", dropped)


def history_of(report: Report, store: MetricHistory) -> HistoryKeeping:
    clock = report.context.clock
    return HistoryKeeping(
        store=store,
        meters=report.meters,
        usage=UsageCounts(clock.now),
        boot=report.boot_id,
        now=clock.now,
        is_clock_trusted=clock.is_trusted,
    )


def watchdog_of(report: Report) -> Watchdog:
    """It counts the steps of the event loop in the meters, and tells which are too long."""

    def held_up(task: str, duration_s: float) -> None:
        report.context.events.publish(LoopHeldUp(task=task, duration_s=duration_s))

    return Watchdog(steps=report.meters.histogram("loop_step_seconds").buckets(), held_up=held_up)
