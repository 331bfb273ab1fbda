"""Alerts, incidents and observations over HTTP: who may see them, and change them."""

import re
from contextlib import asynccontextmanager

import attrs
import jwt
import pytest
from database_in_memory import MemoryDatabase

from exai_trio.config import Config
from exai_trio.daemon.http import ports
from exai_trio.daemon.jobs.watching import Watching
from exai_trio.daemon.lifetime import watched_daemon
from exai_trio.incidents.capture import capturing
from exai_trio.storage.sqlite.watching.stores_in_file import stores_in
from exai_trio.storage.watching.incident_records import MOST_CALLS, Occurrence
from exai_trio.storage.watching.observation_records import Observation
from exai_trio.wire.messages import CallFailed

SECRET = "s" * 40
TRACE = "exai_trio.tools.chat:3 in run"
SEEN = Occurrence(
    error_hash="1-abcdef0123456789abcdef01", kind="bug", severity="high", error_type="KeyError", message="…",
    version="0.9.0", context={"trace": TRACE}, first_at=1e9, last_at=1e9,
)  # fmt: skip
SAID = Observation(id="o-1", severity="info", category="general", text="t", figures={"calls": 3}, at=1e9)  # fmt: skip


@pytest.fixture
def watched(pages, tmp_path):
    """A daemon that watches, as its pages show it; `visitor.daemon.parts.watching` has the stores."""

    @asynccontextmanager
    async def opened(at="incidents", **settings):
        stores = stores_in(MemoryDatabase())
        await stores.incidents.note([SEEN])
        await stores.observations.add([SAID], 0, 1e9)
        with capturing(Config(home=tmp_path), "daemon") as capture, capture.keeping():
            async with pages(**settings) as visitor:
                daemon = visitor.daemon
                watching = Watching.of(daemon.report, stores, capture)
                parts = attrs.evolve(daemon.parts, watching=watching)
                watched = watched_daemon(parts, daemon.tree)
                gate = ports.gate_of(watched, daemon.server.names)
                app = ports.incidents_app if at == "incidents" else ports.pages_app
                site = app(watched, gate, ports.feed_of(watched, gate))
                yield attrs.evolve(visitor, site=site), watching

    return opened


async def test_an_incident_is_listed_for_all_and_shown_whole_to_its_owner(watched):
    async with watched() as (visitor, _):
        listed = await visitor.get("/api/incidents")
        refused = await visitor.get("/api/incidents/abcdef012345")
        shown = await visitor.as_owner().get("/api/incidents/abcdef012345")
        missing = await visitor.as_owner().get("/api/incidents/abc")

    assert ["abcdef012345"] == [row["id"] for row in listed.json["rows"]]
    assert TRACE not in str(listed.json)
    assert (401, 404) == (refused.status, missing.status)
    assert TRACE == shown.json["error_context"]["trace"]


async def test_it_is_resolved_reopened_and_handed_to_a_model(watched):
    async with watched() as (visitor, watching):
        owner = visitor.as_owner()
        path = "/api/incidents/abcdef012345"
        resolved = await owner.post(f"{path}/resolve", notes="mended", version="9.9")
        opened = await owner.get("/api/incidents?resolved=1")
        refused = await visitor.post(f"{path}/reopen")
        reopened = await owner.post(f"{path}/reopen")
        asked = await owner.post(f"{path}/investigate")

    assert (True, "mended", "9.9", 1) == (
        resolved.json["resolved"], resolved.json["resolution_notes"], resolved.json["resolved_in"], len(opened.json["rows"]),
    )  # fmt: skip
    assert (401, False, True) == (refused.status, reopened.json["resolved"], asked.json["requested"])  # fmt: skip
    assert 1 == watching.incidents.open_now


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [("disk", {"for_s": 60}, 200), ("disk", {"for_s": -1}, 400), ("disk", {"for_s": "x"}, 400), ("disk", {"for_s": 1e12}, 400), ("dsk", {"for_s": 60}, 404)],
)  # fmt: skip
async def test_an_alert_is_silenced_by_whoever_may(watched, name, body, status):
    async with watched() as (visitor, _):
        told = await visitor.as_owner().post(f"/api/alerts/{name}/silence", **body)
        alerts = await visitor.get("/api/alerts")

    assert status == told.status
    silenced = [rule["name"] for rule in alerts.json["rules"] if rule["silenced_until"]]
    assert (["disk"] if status == 200 else []) == silenced


async def test_an_alert_is_heard_of_again(watched):
    async with watched() as (visitor, _):
        owner = visitor.as_owner()
        await owner.post("/api/alerts/disk/silence", for_s=60)
        told = await owner.post("/api/alerts/disk/unsilence")
        missing = await owner.post("/api/alerts/dsk/unsilence")
        alerts = await visitor.get("/api/alerts")

    assert (200, 404) == (told.status, missing.status)
    assert [] == [rule["name"] for rule in alerts.json["rules"] if rule["silenced_until"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [("q=KEYERROR", 1), ("q=other", 0), ("kind=bug", 1), ("kind=world", 0), ("q=abcdef01&kind=bug", 1)],
)  # fmt: skip
async def test_incidents_are_filtered(watched, query, found):
    async with watched() as (visitor, _):
        listed = await visitor.get(f"/api/incidents?{query}")

    assert found == len(listed.json["rows"])


async def test_a_call_leads_to_its_incident_and_back(watched):
    """By its correlation id; the incident knows the newest calls alone."""
    async with watched(at="pages") as (visitor, watching), visitor.daemon.connect(token=visitor.as_owner().token) as (client, _):  # fmt: skip
        for number in range(MOST_CALLS + 2):
            await client.nap(f"r{number}", fault="planted")
            await client.hear_until(CallFailed)
        await visitor.daemon.parts.keeping.flush_calls()
        await watching.incidents.flush_incidents()
        owner = visitor.as_owner()
        (bug,) = (await owner.get("/api/incidents?q=valueerror")).json["rows"]
        calls = (await owner.get(f"/api/incidents/{bug['id']}")).json["calls"]
        call = (await owner.get(f"/api/calls/{calls[0]['correlation_id']}")).json

    assert MOST_CALLS == len(calls)
    assert "nap" == call["call"]["tool"]
    assert [bug["id"]] == [each["id"] for each in call["incidents"]]


OF_ALL = {
    "/api/alerts/{name}/silence", "/api/alerts/{name}/unsilence", "/api/auditor/observations/{id}/acknowledge", "/api/incidents/{id}", "/api/incidents/{id}/investigate",
    "/api/incidents/{id}/reopen", "/api/incidents/{id}/resolve", "/api/storage/audit", "/api/storage/cleanup", "/api/access",
}  # fmt: skip
PARTS = {"{id}": "x", "{name}": "disk"}


async def test_who_may_change_nothing_is_refused_each_change(watched):
    """A viewer every one, a user those that concern everybody; figures are there for both."""
    async with watched(at="pages", jwt_secret_key=SECRET, terminals="root") as (visitor, _):
        routes = visitor.site.table.routes
        as_role = {role: attrs.evolve(visitor, token=jwt.encode({"sub": "eve", "role": role, "exp": 4e9}, SECRET)) for role in ("viewer", "user")}  # fmt: skip
        found = {}
        for role, gives in (("viewer", "changes"), ("viewer", "administration"), ("user", "administration")):  # fmt: skip
            for route in (each for each in routes if each.gives == gives):
                path = re.sub(r"\{\w+\}", lambda part: PARTS[part[0]], route.path)
                ask = as_role[role].post if route.method == "POST" else as_role[role].get
                found[role, route.path] = (await ask(path)).status
        seen = (await as_role["viewer"].get("/api/overview")).status

    assert {403} == set(found.values())
    assert OF_ALL == {path for role, path in found if role == "user"}
    assert {"/api/terminals", "/api/calls/{id}/cancel"} <= {path for _, path in found}
    assert 200 == seen


async def test_an_observation_is_acknowledged(watched):
    async with watched() as (visitor, _):
        before = await visitor.get("/api/auditor/observations")
        done = await visitor.as_owner().post("/api/auditor/observations/o-1/acknowledge")
        missing = await visitor.as_owner().post("/api/auditor/observations/o-2/acknowledge")
        after = await visitor.get("/api/auditor/observations")

    assert (False, True) == tuple(told.json["rows"][0]["acknowledged"] for told in (before, after))
    assert (200, 404) == (done.status, missing.status)


async def test_without_a_store_of_them_it_says_so(pages):
    async with pages() as visitor:
        assert 503 == (await visitor.get("/api/incidents")).status
