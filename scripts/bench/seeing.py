"""What seeing costs by itself: one event through all sinks, a scrape, memory, and the start of a daemon."""

import time
from collections.abc import Iterator
from typing import Final

import attrs
from msgspec.structs import replace

from exai_trio.config import Config
from exai_trio.daemon.jobs.call_keeping import CallKeeping
from exai_trio.daemon.jobs.sinks import attach_sinks
from exai_trio.monitoring.history.history_keeping import HistoryKeeping
from exai_trio.monitoring.history.usage_counts import UsageCounts
from exai_trio.observability.call_files import CallFiles
from exai_trio.observability.event_hub import EventHub
from exai_trio.observability.events import CallBegun, CallEnded
from exai_trio.observability.meters.exposition import exposition
from exai_trio.observability.meters.meter_set import MOST_SERIES, Meters
from exai_trio.storage.ended_calls import ForgottenCalls
from exai_trio.storage.watching.metric_history import ForgottenHistory
from exai_trio.system.process_figures import resident_bytes

from .pairs import our_daemon
from .processes import at_work_s, free_port, weight
from .report import Goal, Row, median
from .seeing_rows.watched import ROOT, SETTINGS, blind_tree

MIB: Final = 2**20
_PORTS: Final = ("HEALTH_CHECK_PORT", "MONITORING_PORT", "INCIDENTS_PORT")
_TOOLS: Final = [f"tool{number}" for number in range(31)]
_ENDED: Final = CallEnded(
    id="i", correlation_id="c", session="s", tool="tool1", principal="owner", project="/p", provider="glm", model="m",
    code="", category="", attempt=1, started_at=1e9, duration_ms=20.0, permit_wait_ms=0.5, provider_wait_ms=1.0,
    with_provider_ms=9.0, first_chunk_ms=4.0, requests=1, input_tokens=7, cached_tokens=2, output_tokens=3,
    reasoning_tokens=1, cost=0.5, currency="USD", journal_wait_ms=0.3,
)  # fmt: skip


@attrs.frozen
class _Watched:
    hub: EventHub
    meters: Meters
    keeping: CallKeeping
    files: CallFiles

    def forget(self) -> None:
        """What a daemon has written down each second."""
        self.keeping.waiting.clear()
        self.keeping.history.usage.take()
        self.files.metrics.waiting.clear()


def _watched() -> _Watched:
    hub, meters = EventHub(), Meters({"tool": frozenset(_TOOLS)})
    usage = UsageCounts(time.time)
    history = HistoryKeeping(ForgottenHistory(), meters, usage, "boot", time.time, lambda: True)
    clock: object = None
    keeping = CallKeeping(ForgottenCalls(), clock, history)  # type: ignore[arg-type]  # its clock is not asked here
    files = CallFiles.of(Config())
    attach_sinks(hub, meters, files, keeping)
    return _Watched(hub, meters, keeping, files)


def sinks(*, quick: bool) -> Iterator[Row]:
    """One CallEnded through all sinks of a daemon, in processor time."""
    watched, times = _watched(), []
    for _ in range(20 if quick else 100):
        began = time.process_time()
        for _ in range(1_000):
            watched.hub.publish(_ENDED)
        times.append((time.process_time() - began) / 1_000 * 1e6)
        watched.forget()
    yield Row(what="one CallEnded through all sinks", unit="µs", ours=median(times), goal=Goal("at most", 15))  # fmt: skip
    began = time.process_time()
    for _ in range(10_000):
        replace(_ENDED)
    yield Row(what="  making one", unit="µs", ours=(time.process_time() - began) / 10_000 * 1e6)


def metrics(*, quick: bool) -> Iterator[Row]:
    """A scrape with as many series as there may be."""
    meters = Meters()
    for number in range(MOST_SERIES):  # what has no room is one series more
        meters.counter("provider_requests_total").add("p", f"m{number}", "ok", amount=number)
        if number % 4 == 0:
            meters.histogram("call_duration_seconds").observe(0.01 * number, f"tool{number}")
    times = []
    for _ in range(20 if quick else 100):
        began = time.process_time()
        text = exposition(meters.snapshot())
        times.append((time.process_time() - began) * 1000)
    yield Row(what=f"/metrics, {text.count(b'exai_'):,} lines", unit="ms", ours=median(times), goal=Goal("at most", 5))  # fmt: skip
    snapshots = [_timed(meters.snapshot) for _ in range(50)]
    yield Row(what="  a snapshot alone", unit="ms", ours=median(snapshots))


def _timed(work: object) -> float:
    began = time.process_time()
    work()  # type: ignore[operator]
    return (time.process_time() - began) * 1000


def flat(*, quick: bool) -> Iterator[Row]:
    """Memory after many calls, of tools and with codes that nobody knows."""
    watched = _watched()
    sizes = []
    for part in range(4):
        for number in range(10_000 if quick else 50_000):
            watched.hub.publish(CallBegun(tool="x"))
            watched.hub.publish(replace(_ENDED, tool=f"junk{part}-{number}"))
            if number % 2_000 == 0:
                watched.forget()
        watched.forget()
        sizes.append((resident_bytes() or 0) / MIB)
    yield Row(what="memory of the sinks, last of four parts more than the first", unit="MiB", ours=sizes[-1] - sizes[0], goal=Goal("at most", 5))  # fmt: skip


def idle(*, quick: bool) -> Iterator[Row]:
    """Start to serving and memory of an idle daemon with all its ports, beside the blind one without, by turns."""
    rounds = 3 if quick else 9
    found: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    with blind_tree() as tree:
        for number in range(2 * rounds):
            sees = number % 4 in {0, 3}
            ports = {name: free_port() for name in _PORTS} if sees else {}
            with our_daemon(**SETTINGS, **ports, PYTHONPATH=ROOT if sees else tree) as daemon:
                worked = at_work_s(daemon.process.pid)
                time.sleep(2.0)  # what is loaded behind the start is there
                found[sees].append((worked * 1000, weight(daemon.process.pid).resident / MIB))
    starts, sizes = ({sees: median([row[place] for row in rows]) for sees, rows in found.items()} for place in (0, 1))  # fmt: skip
    yield Row(what="start to serving, processor time more than without", unit="ms", ours=starts[True] - starts[False], goal=Goal("at most", 10))  # fmt: skip
    yield Row(what="  of", unit="ms", ours=starts[True], floor=starts[False])
    yield Row(what="idle memory, more than without", unit="MiB", ours=sizes[True] - sizes[False], goal=Goal("at most", 6))  # fmt: skip
    yield Row(what="  of", unit="MiB", ours=sizes[True], floor=sizes[False])
