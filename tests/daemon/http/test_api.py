"""What the pages are told, and what they change, over a daemon whose calls are real."""

import pytest
import trio

from exai_trio.daemon.http.job_book import JobBook
from exai_trio.observability.events import JobRan, Swept
from exai_trio.wire.messages import CallAccepted, CallFailed, CallResult

TOKEN = "a-token-of-ours-that-is-long"
HOSTILE = "<script>alert(1)</script>\u202e\x00" + "w" * 1_000_000


async def test_a_running_call_is_shown_and_its_cancel_reaches_its_client(pages):
    """Anybody here sees that it runs; whose it is and what was asked are texts; a cancel is a change."""
    async with pages() as visitor, visitor.daemon.connect(token=TOKEN, client_name="editor") as (client, _):  # fmt: skip
        await client.nap("r1", seconds=60, stages=["thinking"])
        await client.hear_until(CallAccepted)
        owner = visitor.as_owner()
        (row,) = (await visitor.get("/api/calls")).json["running"]
        details = (await owner.get(f"/api/calls/{row['id']}")).json["call"]
        refused = await visitor.post(f"/api/calls/{row['id']}/cancel")
        cancelled = await owner.post(f"/api/calls/{row['id']}/cancel")
        outcome = await client.hear_until(CallFailed)
        again = await owner.post(f"/api/calls/{row['id']}/cancel")

    assert ("nap", "thinking") == (row["tool"], row["stage"])
    assert not {"principal", "session", "arguments", "detail"} & row.keys()
    assert ("owner", 60) == (details["principal"], details["arguments"]["seconds"])
    assert (401, 200, 404) == (refused.status, cancelled.status, again.status)
    assert "CANCELLED" == outcome.error.code


async def test_ended_calls_are_paged_and_filtered(pages):
    async with pages() as visitor, visitor.daemon.connect(token=TOKEN) as (client, _):
        for i in range(5):
            await client.nap(f"r{i}", fault="no" if i == 3 else "")
            await client.hear_until((CallResult, CallFailed))
        await visitor.daemon.parts.keeping.flush_calls()
        first = (await visitor.get("/api/calls?limit=2")).json
        second = (await visitor.get(f"/api/calls?limit=2&before={first['next']}")).json
        failed = (await visitor.get("/api/calls?failed=1")).json["rows"]
        answered = (await visitor.get("/api/calls?code=ok&tool=nap")).json
        usage = (await visitor.get("/api/usage?by=tool")).json["rows"]

    numbers = [row["number"] for row in first["rows"] + second["rows"]]
    assert sorted(numbers, reverse=True) == numbers
    assert 4 == len(set(numbers))
    assert ["INTERNAL_ERROR"] == [row["code"] for row in failed]
    assert (4, None) == (len(answered["rows"]), answered["next"])
    assert [("nap", 5, 1)] == [(row["tool"], row["calls"], row["failures"]) for row in usage]


async def test_a_session_is_shown_and_ended(pages):
    """Its calls are cancelled, its client hears why, and it is gone."""
    async with pages() as visitor, visitor.daemon.connect(token=TOKEN, client_name="editor", session_id="mine") as (client, _):  # fmt: skip
        await client.nap("r1", seconds=60)
        await client.hear_until(CallAccepted)
        owner = visitor.as_owner()
        (row,) = (await owner.get("/api/sessions")).json["rows"]
        ended = await owner.post("/api/sessions/mine/end")
        while left := (await owner.get("/api/sessions")).json["rows"]:
            await trio.sleep(0.01)
        unknown = await owner.post("/api/sessions/mine/end")

    assert ("mine", "editor", True, 1) == (row["id"], row["client"], row["connected"], row["calls"])
    assert (200, [], 404) == (ended.status, left, unknown.status)


async def test_a_conversation_is_searched_read_named_copied_and_deleted(pages):
    """What stands in it comes as it is, as JSON; a long turn is cut for the page and whole in the export."""
    from exai_trio.storage.base import Turn

    async with pages() as visitor:
        now = visitor.daemon.context.clock.now()
        turn = Turn(role="user", text=HOSTILE, tool="chat", at=now)
        store = visitor.daemon.environment.services.conversations.of("owner")
        await store.append("c1", (turn,), now, now + 9_999)
        owner = visitor.as_owner()
        found = (await owner.get("/api/conversations?q=script")).json["rows"]
        read = (await owner.get("/api/conversations/c1")).json["turns"][0]
        exported = (await owner.get("/api/conversations/c1/export")).json["turns"][0]
        named = await owner.post("/api/conversations/c1/name", name="  mine ")
        copied = (await owner.post("/api/conversations/c1/fork")).json["id"]
        deleted = await owner.post("/api/conversations/c1/delete")
        left = [row["id"] for row in (await owner.get("/api/conversations")).json["rows"]]

    assert ["c1"] == [row["id"] for row in found]
    assert (True, HOSTILE[:100_000], HOSTILE) == (read["cut"], read["text"], exported["text"])
    assert ("mine", 200, [copied]) == (named.json["name"], deleted.status, left)


@pytest.mark.parametrize(
    ("path", "anybody", "owner"),
    [
        ("/api/overview", 200, 200),
        ("/api/metrics/current", 200, 200),
        ("/api/cache-metrics", 200, 200),
        ("/status", 200, 200),
        ("/api/storage", 200, 200),
        ("/api/usage?by=day,model", 200, 200),
        ("/api/usage?by=principal", 401, 200),
        ("/api/usage?by=nothing", 400, 400),
        ("/api/usage?since=-1", 400, 400),
        ("/api/calls?principal=owner", 401, 200),
        ("/api/calls?limit=0", 400, 400),
        ("/api/calls?limit=201", 400, 400),
        ("/api/calls?least_ms=nan", 400, 400),
        ("/api/calls/call_unknown", 401, 404),
        ("/api/sessions", 401, 200),
        ("/api/conversations", 401, 200),
        ("/api/conversations/nothing", 401, 404),
        ("/api/settings", 401, 200),
        ("/api/logs?q=x", 401, 200),
        ("/api/storage/audit", 401, 200),
        ("/api/storage/files", 401, 200),
        ("/api/budgets", 401, 200),
        ("/api/jobs", 200, 200),
        ("/api/access", 401, 200),
        ("/", 200, 200),
        ("/monitoring_dashboard.html", 200, 200),
        ("/semaphore_monitor.html", 200, 200),
    ],
)
async def test_figures_are_free_and_texts_want_a_login(pages, path, anybody, owner):
    async with pages() as visitor:
        statuses = [(await each.get(path)).status for each in (visitor, visitor.as_owner())]

    assert [anybody, owner] == statuses


async def test_a_page_has_jobs_budgets_files_and_the_version_of_clients(pages):
    async with pages(tokens_day=100, monitoring_port=1) as visitor:
        hello = {"token": TOKEN, "client_name": "editor", "client_version": "7.1"}
        async with visitor.daemon.connect(**hello) as (client, _):
            owner = visitor.as_owner()
            publish = visitor.daemon.context.events.publish
            publish(JobRan(job="clean_up", result="ok", duration_s=0.5, period_s=300.0))
            await client.nap()
            await client.hear_until(CallResult)
            told = [(await owner.get(path)).json for path in ("/api/sessions", "/api/budgets", "/api/jobs", "/api/storage/files")]  # fmt: skip
    sessions, budgets, jobs, files = (each["rows"] for each in told)

    assert ("editor", "7.1", None) == tuple(sessions[0][name] for name in ("client", "client_version", "beat_s"))  # fmt: skip
    assert (None, 100) == (budgets[0]["principal"], budgets[0]["quota"]["tokens_per_day"])
    assert [("clean_up", "ok", 500.0, 300.0)] == [(j["job"], j["result"], j["duration_ms"], j["period_s"]) for j in jobs if j["job"] == "clean_up"]  # fmt: skip
    assert [] == files


def test_what_stages_of_cleaning_up_did_is_summed():
    """What has not run yet is not measured, and no 0."""
    book = JobBook(lambda: 1e9)
    for removed in (2, 3):
        book.takes()[Swept](Swept(stage="expire", removed=removed, freed_bytes=10))

    assert {"last_at": "2001-09-09T01:46:40.000Z", "removed": 5, "freed_bytes": 20} == book.stage("expire")  # fmt: skip
    assert {"last_at": None, "removed": None, "freed_bytes": None} == book.stage("delete")


async def test_no_secret_is_among_the_settings(pages):
    async with pages(glm_api_key="sk-canary", jwt_secret_key="") as visitor:
        told = await visitor.as_owner().get("/api/settings")

    assert b"sk-canary" not in told.body
    assert TOKEN.encode() not in told.body
    assert {"variable": "GLM_API_KEY", "value": "<set>"}.items() <= next(
        row for row in told.json["rows"] if row["variable"] == "GLM_API_KEY"
    ).items()
