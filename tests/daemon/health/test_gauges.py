"""Each family has a source, and what is asked of the disk, of the store and of budgets is what was put there."""

from contextlib import asynccontextmanager
from types import SimpleNamespace

import attrs
import pytest
import trio
from database_in_memory import MemoryDatabase

from exai_trio.access.token_registry import Quota
from exai_trio.config import Config
from exai_trio.daemon.health.gauges import attach_gauges, attach_store_times
from exai_trio.daemon.health.stored_sizes import StoredSizes
from exai_trio.daemon.jobs.sinks import watchdog_of
from exai_trio.daemon.jobs.watching import Watching
from exai_trio.incidents.capture import capturing
from exai_trio.observability.meters.families import FAMILIES
from exai_trio.observability.meters.meter_set import Meters
from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.storage.sqlite.watching.stores_in_file import stores_in
from exai_trio.storage.store_times import StoreTimes
from exai_trio.wire.messages import CallAccepted, CallResult


@pytest.fixture
def watched(house, tmp_path):
    """`async with watched() as (daemon, watching):` a daemon with alerts."""

    @asynccontextmanager
    async def opened(**settings):
        with capturing(Config(home=tmp_path), "daemon") as capture, capture.keeping():
            async with house(**settings) as daemon:
                quotas = daemon.environment.quotas
                stores = stores_in(MemoryDatabase())
                yield daemon, Watching.of(daemon.report, stores, capture, quotas)

    return opened


async def test_every_family_that_is_told_has_a_source(watched):
    """Of the loop's steps and of a hosted store's outbox, as far as there is one: the process has them, this daemon has not."""
    async with watched(terminals="root") as (daemon, _):
        watchdog_of(daemon.report)
        report = attrs.evolve(daemon.report, hosted=SimpleNamespace(outbox_entries=3, outbox_age_s=7.0))  # fmt: skip
        attach_gauges(report.meters, report, lambda: 0, lambda: 0, ())
        said = report.meters.snapshot()

    assert set() == {family.name for family in FAMILIES} - said.readings.keys()
    assert (3, 7) == (said.total("outbox_entries"), said.total("outbox_age_seconds"))


async def test_a_call_is_open_in_the_journal_until_it_has_ended(house, autojump_clock):
    async with house() as daemon, daemon.connect() as (client, _):
        await client.nap(seconds=1.0)
        await client.hear_until(CallAccepted)
        during = daemon.report.meters.snapshot().total("journal_open_calls")
        await client.hear_until(CallResult)
        after = daemon.report.meters.snapshot().total("journal_open_calls")

    assert (1, 0) == (during, after)


async def test_what_is_stored_is_counted_by_kind(tmp_path):
    config = Config(home=tmp_path)
    for path, size in ((config.state / "exai.db", 5), (config.state / "exai.db-wal", 2), (config.state / "ws_token", 9), (config.objects / "ab" / "x", 3), (config.logs / "a.log", 4)):  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    sizes = StoredSizes()
    await sizes.count(config)

    assert {"database": 7, "files": 3, "logs": 4} == sizes.kinds


async def test_requests_to_the_store_are_timed(tmp_path):
    meters, times = Meters(), StoreTimes()
    attach_store_times(meters, times)
    async with open_sqlite(tmp_path / "exai.db", times=times) as store:
        await store.note_time(1.0)
        await store.newest_at()

    assert {"read": 1, "write": 1} == meters.snapshot().by("store_seconds", "operation")


@pytest.mark.parametrize(("spent", "firing"), [(79, []), (81, ["80 %"]), (100, ["80 %", "100 %"])])
async def test_a_budget_of_which_much_is_spent_fires_its_alert(
    watched, autojump_clock, spent, firing
):
    """The one of which most is spent counts, be it the daemon's own or a principal's."""
    async with watched(tokens_day=1_000_000) as (daemon, watching):
        quotas = daemon.environment.quotas
        quotas.tell("jwt:ann", Quota(tokens_per_day=100))
        await watching.figures.look_at_budgets()
        quotas.days.add("jwt:ann", spent, quotas.now())
        for _ in range(3):
            await trio.sleep(5)
            await watching.alerts.look_at_alerts()
        told = [each["subject"] for each in watching.alerts.told() if each["name"] == "budget"]
        metered = daemon.report.meters.snapshot().total("budget_spent_ratio")

    assert firing == told
    assert spent / 100 == metered
