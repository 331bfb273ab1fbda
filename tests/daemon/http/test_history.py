"""History as the charts have it: what was measured, and a gap where there was no daemon."""

import pytest

from exai_trio.daemon.http.api.history_routes import _rows
from exai_trio.observability.meters.meter_set import Meters
from exai_trio.storage.watching.metric_history import Point


def test_a_time_without_a_daemon_is_a_gap_and_not_a_zero():
    """Percentiles are of the step's own calls; of none there are none."""
    meters = Meters()
    for code, seconds in (("ok", 0.1), ("TIMEOUT", 9.0)):
        meters.counter("calls_total").add("chat", code)
        meters.histogram("call_duration_seconds").observe(seconds, "chat")
    busy, idle = meters.snapshot(), Meters().snapshot()
    rows = list(_rows((Point(100.0, 10.0, busy), Point(110.0, 10.0, idle), Point(200.0, 10.0, busy))))  # fmt: skip

    assert [100.0, 110.0, 120.0, 200.0] == [row["t"] for row in rows]
    assert (2, 1) == (rows[0]["calls"], rows[0]["failures"])
    assert rows[1]["p95_ms"] is None
    assert {"t": 120.0} == rows[2]
    assert pytest.approx(4550) == rows[0]["mean_ms"]


@pytest.mark.parametrize(("asked", "status"), [("1h", 200), ("400d", 200), ("1y", 400)])
async def test_a_range_is_one_of_four(pages, asked, status):
    async with pages() as visitor:
        told = await visitor.get(f"/api/history?range={asked}")

    assert status == told.status
