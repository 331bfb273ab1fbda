"""The history: what was used and what the meters said, kept in steps that outlive restarts, with gaps that are shown as such."""

import attrs
import pytest
from database_in_memory import MemoryDatabase
from msgspec.structs import replace

from exai_trio.errors import StorageError
from exai_trio.monitoring.history.history_keeping import HistoryKeeping
from exai_trio.monitoring.history.usage_counts import UsageCounts
from exai_trio.observability.event_hub import EventHub
from exai_trio.observability.events import CallEnded, RequestEnded
from exai_trio.observability.meters.event_meters import event_takes
from exai_trio.observability.meters.meter_set import Meters
from exai_trio.storage.sqlite.watching.metric_history_rows import SqliteHistory

HOUR = 1_790_000_000 // 3600 * 3600.0
ENDED = CallEnded(
    id="i", correlation_id="c", session="s", tool="chat", principal="owner", project="/p", provider="glm",
    model="glm-4.6", code="", category="", attempt=1, started_at=HOUR, duration_ms=20.0, permit_wait_ms=0.0,
    provider_wait_ms=0.0, with_provider_ms=0.0, first_chunk_ms=None, requests=1, input_tokens=7,
    cached_tokens=2, output_tokens=3, reasoning_tokens=1, cost=0.5, currency="USD",
)  # fmt: skip
REQUEST = RequestEnded(
    provider="glm", model="glm-4.6", outcome="ok", permit_wait_s=0.0, duration_s=0.02, input_tokens=7, cached_tokens=2,
    output_tokens=3, reasoning_tokens=1, cost=0.5, currency="USD", tool="chat", principal="owner", project="/p",
)  # fmt: skip


@attrs.define(eq=False, slots=False)
class Life:
    """One daemon's history over a database that others may have written before."""

    database: MemoryDatabase
    boot: str = "boot"
    time: float = HOUR
    refuses: bool = False
    hub: EventHub = attrs.field(factory=EventHub)

    def __attrs_post_init__(self):
        meters, usage = Meters(), UsageCounts(lambda: self.time)
        self.hub.add("meters", event_takes(meters))
        self.hub.add("usage", usage.takes())
        self.store = SqliteHistory(self)
        self.kept = HistoryKeeping(
            self.store, meters, usage, self.boot, lambda: self.time, lambda: True
        )

    async def read(self, query):
        return await self.database.read(query)

    async def write(self, work):
        if self.refuses:
            raise StorageError("full")
        return await self.database.write(work)

    async def second(self, calls=0):
        for _ in range(calls):
            self.hub.publish(REQUEST)
            self.hub.publish(ENDED)
        self.time += 1
        await self.kept.keep_history()

    async def calls_at(self, since, until):
        points = await self.store.points(since, until, ["calls_total"])
        return [
            (point.at - HOUR, point.seconds, point.said.total("calls_total")) for point in points
        ]


async def test_each_step_says_what_was_added_in_it():
    """Ten seconds each; shorter ones become a minute, and an hour; what is not folded yet is read too."""
    life = Life(MemoryDatabase())
    for second in range(3630):
        await life.second(calls=second % 10 == 0)
    assert [360, 3] == [calls for *_, calls in await life.calls_at(HOUR - 13 * 86_400, life.time)]
    for second in range(3630, 3700):
        await life.second(calls=second % 10 == 0)

    assert (0.0, 10, 1) == (await life.calls_at(HOUR, HOUR + 100))[0]
    assert [1] * 10 == [calls for _, _, calls in await life.calls_at(HOUR, HOUR + 100)]
    day = await life.calls_at(HOUR - 40_000, HOUR + 46_400)
    assert 370 == sum(calls for _, _, calls in day)
    assert len(day) <= 400
    fortnight = await life.calls_at(HOUR - 13 * 86_400, HOUR + 86_400)
    assert [(0.0, 3600, 360), (3600.0, 3600, 10)] == fortnight


async def test_a_restart_loses_nothing_and_the_time_between_is_a_gap():
    """Also a kill: what was kept a second ago is there, and the next daemon folds it."""
    database = MemoryDatabase()
    first = Life(database)
    for _ in range(15):
        await first.second(calls=2)
    second = Life(database, "again", time=HOUR + 300)
    for _ in range(61):
        await second.second(calls=1)
    points = await second.calls_at(HOUR, HOUR + 400)

    assert 30 + 61 == sum(calls for _, _, calls in points)
    assert not [at for at, _, _ in points if 20 <= at < 300]
    rows = await database.read(lambda file: file.execute("SELECT at, boot FROM metric_points WHERE step = 60").fetchall())  # fmt: skip
    assert [(HOUR, "boot"), (HOUR + 300, "again")] == rows


async def test_a_disk_that_refuses_costs_history_and_no_usage():
    """Its time is a gap; what was used meanwhile is written once it goes again, and once only."""
    life = Life(MemoryDatabase())
    await life.second(calls=1)
    life.refuses = True
    for _ in range(30):
        with pytest.raises(StorageError):
            await life.second(calls=1)
    life.refuses = False
    for _ in range(20):
        await life.second()
    (used,) = await life.store.usage(HOUR)

    assert (31, 31 * 7, 15.5) == (used.calls, used.input_tokens, used.cost)
    assert not [at for at, _, _ in await life.calls_at(HOUR, HOUR + 60) if 10 <= at < 30]


async def test_usage_is_by_hour_and_by_whose_it_was():
    """What is not known stays unknown; what is known by half is known."""
    life = Life(MemoryDatabase())
    nothing = dict.fromkeys(("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "cost"))  # fmt: skip
    life.hub.publish(replace(ENDED, tool="version", model="", currency="", code="TIMEOUT", **nothing))  # fmt: skip
    life.hub.publish(replace(REQUEST, outcome="busy", **nothing))
    life.hub.publish(replace(REQUEST, model="glm-4.5-flash", cost=None))
    await life.second(calls=2)
    life.time += 3600
    await life.second(calls=1)
    rows = {(row.hour - HOUR, row.tool, row.model): row for row in await life.store.usage(HOUR)}

    assert (1, 1, None, None) == tuple(getattr(rows[0, "version", ""], n) for n in ("calls", "failures", "input_tokens", "cost"))  # fmt: skip
    assert (2, 0, 14, 1.0) == tuple(getattr(rows[0, "chat", "glm-4.6"], n) for n in ("calls", "failures", "input_tokens", "cost"))  # fmt: skip
    assert (0, 7, None, 1) == tuple(getattr(rows[0, "chat", "glm-4.5-flash"], n) for n in ("calls", "input_tokens", "cost", "unpriced"))  # fmt: skip
    assert 1 == rows[3600, "chat", "glm-4.6"].calls


async def test_what_is_old_goes_each_step_at_its_time():
    """Ten seconds after six hours, a minute after two weeks, an hour after 400 days."""
    life = Life(MemoryDatabase())
    await life.second(calls=1)
    counts = []
    for days in (0.1, 1, 15, 401):
        life.time = HOUR + days * 86_400
        await life.kept.sweep_history()
        rows = await life.database.read(lambda file: file.execute("SELECT step FROM metric_points ORDER BY step").fetchall())  # fmt: skip
        counts.append([step for (step,) in rows])

    assert [[10, 60, 3600], [60, 3600], [3600], []] == counts
    assert () == await life.store.usage(0)


async def test_a_clock_that_jumps_a_day_and_back_loses_no_call():
    """Each is in the step that the clock said; none is shown twice."""
    life = Life(MemoryDatabase())
    for jump in (0, 86_400, -86_400, 0):
        life.time += jump
        for _ in range(70):
            await life.second(calls=1)
    for days in (0.01, 1):  # shown in steps of ten seconds, and in minutes
        shown = await life.calls_at(HOUR - days * 86_400, life.time + 1)
        assert 210 == sum(calls for _, _, calls in shown)
    minutes = await life.database.read(lambda file: file.execute("SELECT count(*) FROM metric_points WHERE step = 60").fetchone())  # fmt: skip

    assert (5,) == minutes
    assert 280 == sum(row.calls for row in await life.store.usage(0))
