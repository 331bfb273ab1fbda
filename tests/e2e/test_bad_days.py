"""What seeing does on bad days: ports that are taken, a database that is locked or damaged, five hundred dashboards."""

import socket
import sqlite3
from contextlib import closing
from functools import partial

import pytest
import trio
from free_ports import free_ports
from stage.readers import listed, scraped

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def echoes(new_place, **settings):
    return new_place(http=True, ENABLED_TOOLS="test_echo", **settings)


async def call(place, count):
    async with place.client() as client:
        for number in range(count):
            assert (await client.outcome(f"r{number}", prompt="hi"))["ok"]


@pytest.mark.parametrize("setting", ["MONITORING_PORT", "INCIDENTS_PORT"])
async def test_a_port_that_is_taken_is_one_warning(new_place, fetch, setting):
    """All else serves."""
    (taken,) = free_ports(1)
    place = echoes(new_place, **{setting: str(taken)})
    with socket.create_server(("127.0.0.1", taken)), place.start("serve") as process:
        try:
            line = await trio.to_thread.run_sync(process.stdout.readline)
            await call(place, 1)
            healthy = (await fetch(place.health, "/health")).json["status"]
        finally:
            process.terminate()
            _, said = process.communicate(timeout=20)

    assert (True, "healthy", 0) == (b"WebSocket ws://" in line, healthy, process.returncode)
    assert 1 == said.count(b"is taken by") == said.count(setting.encode())


async def test_a_locked_database_costs_no_call_and_its_rows_come_later(new_place, start, until):
    """Somebody else holds it: calls are answered and counted, and their rows are there when it is free."""
    place = echoes(new_place)
    start(place)
    await call(place, 1)
    await until(partial(has_rows, place, 1))
    with closing(sqlite3.connect(place.exai / "state" / "exai.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await call(place, 20)
        said = (await scraped(place))["exai_calls_total", "test_echo", "ok"]
        meanwhile = len(await listed(place))
        other.execute("ROLLBACK")
    await until(partial(has_rows, place, 21))

    assert (21, 1) == (said, meanwhile)


async def has_rows(place, count):
    return len(await listed(place)) == count


async def test_of_500_dashboards_32_live_and_the_others_are_told_to_come_back(
    new_place, start, fetch
):
    """Health and a scrape are answered meanwhile."""
    place = echoes(new_place)
    start(place)
    live, told = [], 0
    for _ in range(500):
        stream = await trio.open_tcp_stream("127.0.0.1", place.pages)
        await stream.send_all(UPGRADE % place.pages)
        head = (await stream.receive_some()).split(b"\r\n\r\n")[0]
        if b" 101 " in head:
            live.append(stream)
        else:
            told += b" 503 " in head and b"retry-after" in head.lower()
            await trio.aclose_forcefully(stream)
    healthy = [(await fetch(port, path)).status for port, path in ((place.health, "/health"), (place.pages, "/metrics"))]  # fmt: skip
    for stream in live:
        await trio.aclose_forcefully(stream)

    assert (32, 468, [200, 200]) == (len(live), told, healthy)


async def test_usage_of_a_damaged_database_is_an_error_that_says_so(new_place):
    place = echoes(new_place)
    (place.exai / "state").mkdir(parents=True)
    (place.exai / "state" / "exai.db").write_bytes(b"no database, for all its length " * 400)
    code, out, err = place.run("usage")

    assert (True, "") == (code != 0, out)
    assert "Traceback" not in err
    assert "exai.db" in err
