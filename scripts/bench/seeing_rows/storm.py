"""Thousands of equal faults in seconds: what other calls notice of them, and what is kept."""

import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from ..pairs import Daemon, our_daemon
from ..processes import NotMeasured, end
from ..report import Goal, Row, percentile
from .calls import paced
from .storm_daemon import CRASH
from .watched import SETTINGS

_DAEMON: Final = [sys.executable, str(Path(__file__).with_name("storm_daemon.py"))]
_OTHERS_PER_S: Final = 50.0
_ROOM: Final = {"EXAI_WS_GLOBAL_MAX_INFLIGHT": 4_096, "EXAI_WS_SESSION_MAX_INFLIGHT": 4_096}
_MOST_LOGGED: Final = 1024.0  # KiB


def storm(*, quick: bool) -> Iterator[Row]:
    """Calls that all crash in the same way, beside other calls; and as many that do not crash, as the floor."""
    seconds, per_s = (3, 300) if quick else (10, 1_000)
    with our_daemon(_DAEMON, **{**SETTINGS, **_ROOM}) as daemon:
        sound = _others_beside(daemon, seconds, per_s, "x")
        before = _logged(daemon)
        crashed = _others_beside(daemon, seconds, per_s, CRASH)
        logged = _logged(daemon) - before
        end(daemon.process)
        with closing(sqlite3.connect(daemon.where / "state" / "exai.db")) as database:
            query = "SELECT count(*), sum(occurrence_count) FROM error_investigations WHERE kind = 'bug'"
            rows, counted = database.execute(query).fetchone()
    wanted = seconds * per_s
    yield Row(what=f"{wanted:,} equal faults in {seconds} s: the others' p99 (floor: no fault)", unit="ms", ours=percentile(crashed, 99) * 1000, floor=percentile(sound, 99) * 1000, goal=Goal("at most", 1.2, of_floor=True))  # fmt: skip
    yield Row(what="  incidents", unit="", ours=rows, goal=Goal("at most", 1))
    yield Row(
        what="  counted of all", unit="", ours=(counted or 0) / wanted, goal=Goal("at least", 1)
    )
    yield Row(what="  the log grew by", unit="KiB", ours=logged / 1024, goal=Goal("at most", _MOST_LOGGED))  # fmt: skip


def _others_beside(daemon: Daemon, seconds: float, per_s: float, prompt: str) -> list[float]:
    """What calls took that came meanwhile. Raises NotMeasured."""
    faults: list[NotMeasured] = []

    def load() -> None:
        try:
            paced(daemon.port, seconds, per_s, prompt)
        except NotMeasured as fault:
            faults.append(fault)

    loading = threading.Thread(target=load)
    loading.start()
    others = paced(daemon.port, seconds, _OTHERS_PER_S)
    loading.join()
    if faults:
        raise faults[0]
    return others


def _logged(daemon: Daemon) -> int:
    return sum(path.stat().st_size for path in (daemon.where / "logs").glob("ws_daemon.log*"))
