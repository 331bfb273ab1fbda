"""A daemon is killed over an incident, while that is investigated and while it is resolved: nothing is half done, and the next daemon says so."""

import json
import signal
import sqlite3
from contextlib import closing
from functools import partial

import pytest
import trio
from stage.fetching import fetch

from exai_trio.simulator.app import serve

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

TOKEN = "the-token-of-this-home"
BEARER = (f"Authorization: Bearer {TOKEN}",)
SEEN = {
    "error_hash": "1-feedbeef0123456789abcdef", "kind": "bug", "severity": "high", "error_type": "KeyError", "message": "planted", "version": "0.9.0",
    "first_at": 1.8e9, "last_at": 1.8e9, "context": {"trace": "  exai_trio.a:1 in f", "log": ["[[simulate: hang times=1]]"], "phrase": "call crashed"},
}  # fmt: skip
KILLED = "the daemon before was killed, or its machine was"


@pytest.fixture
async def simulated(nursery):
    return await nursery.start(partial(serve, "127.0.0.1", 0))


@pytest.fixture
def place(new_place, simulated):
    """A home in which a fault was seen; its model outlives its daemons."""
    place = new_place(http=True, EXAI_WS_TOKEN=TOKEN, KIMI_API_URL=f"{simulated}/kimi/v1", KIMI_API_KEY="simulated")  # fmt: skip
    state = place.exai / "state"
    state.mkdir(parents=True, mode=0o700)
    (state / "incidents.spool.jsonl").write_text(json.dumps(SEEN | {"count": 3}) + "\n")
    return place


async def test_a_kill_in_an_investigation(place, simulated, start, until):
    """It has no half of an answer, is nobody's when its time is over, and is done by the next daemon, once."""
    daemon = start(place, EXAI_INVESTIGATE="true")
    await until(partial(is_asked, simulated))
    (incident,) = await listed(place)
    daemon.signal(signal.SIGKILL)
    await daemon.wait()
    left = rows(place, "SELECT state, attempts, tokens, investigation_result, fix_recommendation, model_used FROM error_investigations")  # fmt: skip
    rows(place, "UPDATE error_investigations SET lease_until = 0")
    start(place, EXAI_INVESTIGATE="true")
    (done,) = await until(partial(listed, place, "done"))

    assert ("running", 1) == (incident["state"], incident["attempts"])
    assert [("running", 1, 0, None, None, "")] == left
    assert (2, 3, False) == (done["attempts"], done["occurrence_count"], done["resolved"])
    assert (1, 1) == (place.logged(KILLED), place.logged("an investigation was cut off; it is begun again"))  # fmt: skip
    assert 2 == await is_asked(simulated) == rows(place, "SELECT count(*) FROM investigation_runs")[0][0]  # fmt: skip


async def test_a_kill_in_a_resolve(place, start, until):
    """One that had no answer is as it was; one that had is as it was told."""
    daemon = start(place)
    (incident,) = await until(partial(listed, place))
    with closing(sqlite3.connect(place.exai / "state" / "exai.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with await trio.open_tcp_stream("127.0.0.1", place.pages) as asking:
            await asking.send_all(resolving(incident["id"]))
            for _ in range(20):  # others are answered while that waits for the database
                await fetch(place.health, "/health")
            daemon.signal(signal.SIGKILL)
            await daemon.wait()
        other.execute("ROLLBACK")
    daemon = start(place)
    before = await fetch(place.pages, f"/api/incidents/{incident['id']}", headers=BEARER)
    told = await resolve(place, incident["id"])
    daemon.signal(signal.SIGKILL)
    await daemon.wait()
    start(place)
    after = await fetch(place.pages, f"/api/incidents/{incident['id']}", headers=BEARER)

    assert (False, "", "") == tuple(
        before.json[name] for name in ("resolved", "resolution_notes", "resolved_by")
    )
    assert (True, "mended", "owner") == tuple(
        after.json[name] for name in ("resolved", "resolution_notes", "resolved_by")
    )
    assert told["resolved"]
    assert (2, 3) == (place.logged(KILLED), after.json["occurrence_count"])


def rows(place, statement):
    with closing(sqlite3.connect(place.exai / "state" / "exai.db", isolation_level=None)) as file:
        return file.execute(statement).fetchall()


async def is_asked(simulated):
    """How often the model was asked."""
    port = int(simulated.rpartition(":")[2])
    return len((await fetch(port, "/_requests?path=/chat/completions")).json["requests"])


async def listed(place, state=""):
    found = (await fetch(place.pages, "/api/incidents", headers=BEARER)).json["rows"]
    return [row for row in found if state in row["state"]]


def resolving(incident):
    body = b'{"notes": "mended"}'
    lines = (
        f"POST /api/incidents/{incident}/resolve HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *BEARER,
        "Content-Type: application/json", f"Content-Length: {len(body)}", "", "",
    )  # fmt: skip
    return "\r\n".join(lines).encode() + body


async def resolve(place, incident):
    async with await trio.open_tcp_stream("127.0.0.1", place.pages) as asking:
        await asking.send_all(resolving(incident))
        said = b"".join([data async for data in asking])
    return json.loads(said.partition(b"\r\n\r\n")[2])
