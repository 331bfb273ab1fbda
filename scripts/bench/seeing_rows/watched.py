"""A daemon that sees everything and is looked at, beside the same program whose events nobody takes: their calls by turns."""

import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from ..pairs import ROOM, Daemon, our_daemon
from ..processes import FLOOR, at_work_s, child, environment, free_port, home, ours, read_line
from ..report import Goal, Row, median, percentile
from .calls import flood, paced

ROOT: Final = Path(__file__).resolve().parents[3]
# With room for all calls in flight: a refusal costs less than a call does.
SETTINGS: Final[Mapping[str, object]] = {
    "ENABLED_TOOLS": "test_echo",
    "LOG_LEVEL": "WARNING",
    **ROOM,
}
_STEPS: Final = [sys.executable, str(FLOOR / "watch_steps.py")]
_A_MINUTE: Final = 10_000 / 60


@contextmanager
def blind_tree() -> Generator[Path]:
    """The same program, whose events nobody takes and which keeps no history."""
    with tempfile.TemporaryDirectory(prefix="exai-blind-") as name:
        tree = Path(name)
        shutil.copytree(ROOT / "exai_trio", tree / "exai_trio", ignore=shutil.ignore_patterns("__pycache__"))  # fmt: skip
        path = tree / "exai_trio" / "daemon" / "jobs" / "sinks.py"
        text = path.read_text(encoding="utf-8")
        first = '    events.add("meters", event_takes(meters))\n'
        assert first in text
        path.write_text(text.replace(first, f"    return\n{first}"), encoding="utf-8")
        yield tree


@attrs.frozen
class Pair:
    """Both of them; `pages` is where the one that sees has its dashboard."""

    seeing: Daemon
    blind: Daemon
    pages: int

    @contextmanager
    def watchers(self, feeds: int) -> Generator[None]:
        """So many dashboards, and a scrape a second."""
        script = Path(__file__).with_name("watchers.py")
        command = [sys.executable, str(script), str(self.pages), str(feeds)]
        with home() as where, child(command, environment(where), where) as process:
            read_line(process)
            yield


@contextmanager
def pair(command: list[str] | None = None) -> Generator[Pair]:
    pages = free_port()
    with (
        blind_tree() as tree,
        our_daemon(command, **SETTINGS, MONITORING_PORT=pages, PYTHONPATH=ROOT) as seeing,
        our_daemon(ours("serve"), **SETTINGS, PYTHONPATH=tree) as blind,
    ):
        yield Pair(seeing, blind, pages)


def relay(*, quick: bool) -> Iterator[Row]:
    """One dashboard and a scrape a second: the middle of one call after the other, and how many a second."""
    rounds, calls = (3, 300) if quick else (12, 1_500)
    times: tuple[list[float], list[float]] = ([], [])
    rates: tuple[list[float], list[float]] = ([], [])
    works: tuple[list[float], list[float]] = ([], [])
    with pair() as both:
        for _ in range(rounds):
            with both.watchers(1):
                _take(both.seeing, calls, times[0], rates[0], works[0])
            _take(both.blind, calls, times[1], rates[1], works[1])
    yield Row(what="relay, p50 (floor: nobody takes events)", unit="µs", ours=median(times[0]) * 1e6, floor=median(times[1]) * 1e6, goal=Goal("at most", 1.03, of_floor=True))  # fmt: skip
    yield Row(what="  throughput, 32 in flight", unit="/s", ours=median(rates[0]), floor=median(rates[1]), goal=Goal("at least", 1 / 1.03, of_floor=True))  # fmt: skip
    yield Row(what="  processor time of the daemon, a call", unit="µs", ours=median(works[0]) * 1e6, floor=median(works[1]) * 1e6)  # fmt: skip


def _take(
    daemon: Daemon, calls: int, times: list[float], rates: list[float], works: list[float]
) -> None:
    times.append(median(paced(daemon.port, calls / 300, 300)))
    flooded = 5 * calls  # for over a second: what is written each second is part of it
    before = at_work_s(daemon.process.pid)
    rates.append(flood(daemon.port, flooded))
    works.append((at_work_s(daemon.process.pid) - before) / flooded)


def minutes(*, quick: bool) -> Iterator[Row]:
    """10,000 calls a minute for two minutes, five dashboards open, by turns with the blind one."""
    turns, seconds = (2, 5) if quick else (6, 20)
    seen: list[float] = []
    unseen: list[float] = []
    with pair(_STEPS) as both:
        for _ in range(turns):
            with both.watchers(5):
                seen += paced(both.seeing.port, seconds, _A_MINUTE)
            unseen += paced(both.blind.port, seconds, _A_MINUTE)
        both.seeing.process.send_signal(signal.SIGTERM)
        steps = json.loads(read_line(both.seeing.process))
    yield Row(what="10,000 calls a minute, 5 dashboards: p99 (floor: blind)", unit="ms", ours=percentile(seen, 99) * 1000, floor=percentile(unseen, 99) * 1000, goal=Goal("at most", 1.1, of_floor=True))  # fmt: skip
    yield Row(what=f"  longest step of the loop, at work: {steps['whose']}", unit="ms", ours=steps["most_at_work"] * 1000, goal=Goal("at most", 20))  # fmt: skip
    yield Row(what="  by the clock", unit="ms", ours=steps["most"] * 1000)
