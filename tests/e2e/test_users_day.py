"""A user's day with Supabase, from an empty project to its cleaning up: two machines, an outage, files and a large result."""

import json
import sqlite3
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import trio

sys.path.insert(0, str(Path(__file__).parents[1] / "storage"))

from hosted import fixtures

pytestmark = pytest.mark.real
started_stage, stage, gateway = fixtures.started_stage, fixtures.stage, fixtures.gateway

MB = 1024 * 1024
QUERY = """
    SELECT metadata->>'model_used' as model,
        AVG(CAST(metadata->'latency_metrics'->>'latency_ms' AS FLOAT)) FROM messages WHERE role = 'assistant'
        AND metadata->'latency_metrics' IS NOT NULL GROUP BY metadata->>'model_used'
"""

CANARIES = ("heron", "which bird", "seven megabytes", "a large result", "token=", "/object/sign")
TOLD = ("SELECT * FROM audit_log", "SELECT error_message FROM provider_file_uploads")


@pytest.fixture
def project(stage):
    """An empty one."""
    stage.make_new()
    yield stage
    stage.make_ready()


@pytest.fixture
def providers(new_place):
    """The port of those that both machines ask."""
    place = new_place()
    with place.start("simulate", "--port", "0") as process:
        try:
            yield int(json.loads(process.stdout.readline())["simulator"].rpartition(":")[2])
        finally:
            process.terminate()
            process.communicate()


@pytest.fixture
def asked_of_models(providers, fetch):
    async def requests():
        path = "/_requests?path=/chat/completions&since=0"
        return (await fetch(providers, path)).json["requests"]

    return requests


@pytest.fixture
def new_home(new_place, gateway, project, providers, tmp_path):
    origin = f"http://127.0.0.1:{providers}"

    def home():
        return new_place(
            http=True,
            GLM_API_URL=f"{origin}/glm/api/paas/v4",
            KIMI_API_URL=f"{origin}/kimi/v1",
            GLM_API_KEY="simulated",
            KIMI_API_KEY="simulated",
            STORAGE_BACKEND="supabase",
            SUPABASE_URL=gateway.url,
            SUPABASE_KEY=gateway.key,
            SUPABASE_DB_URL=project.url,
            EXAI_ALLOWED_ROOTS=str(tmp_path),
            TOOL_CALL_MAX_SIZE=str(30 * MB),
        )

    return home


async def asked(place, tool, **arguments):
    """What the answer says; or how it failed."""
    async with place.client() as client:
        answer = await client.outcome("r1", tool, **arguments)
    assert "outputs" in answer, answer
    return json.loads(answer["outputs"][0]["text"])


async def said(place, *words):
    """What a command prints, while the gateway goes on."""
    code, out, err = await trio.to_thread.run_sync(place.run, *words)
    assert (0, "") == (code, err), (words, out, err)
    return out


@pytest.mark.timeout(300)
async def test_a_day(new_home, start, project, until, asked_of_models):
    """Nothing is refused, lost, or given twice, and all that is kept is as it should be in the evening."""
    one, two = new_home(), new_home()
    made = await said(one, "storage", "migrate")
    assert all(word in made for word in ("applied 1", "made bucket exai-files"))
    text = Path(one.settings["EXAI_ALLOWED_ROOTS"]) / "seven.txt"
    text.write_text("a line of a text of seven megabytes\n" * (7 * MB // 36))

    first = start(one)
    again, files = await _morning(one, text)
    await _large_result(one, text.with_name("large"))
    await until(lambda: project.execute("select 1 from message_bus where storage_path is not null"))
    await _outage(one, project, again, until)
    second = start(two)
    files.append(await _second_machine(two, text, again))
    shown = (await asked_of_models())[-1]
    await until(lambda: _messages(project) == 6)
    health = (await second.health())["storage"]

    assert all(word in str(shown) for word in ("heron", "away", "which bird?"))
    assert [("gateway", False), ("gateway", False), ("gateway", True)] == list(map(_way, files))
    assert (1.0, text.stat().st_size, 0) == (
        health["hit_rate"], health["bytes_saved"], health["outbox"]["parked"],
    )  # fmt: skip
    for each in (first, second):
        await until(partial(_all_is_sent, each))
    await _evening(one, two, project)
    told, canaries = _told((one, two), project), (one.settings["SUPABASE_KEY"], *CANARIES)
    assert [] == [word for word in canaries if word in told]


async def _all_is_sent(daemon):
    return not (await daemon.health())["storage"]["outbox"]["entries"]


async def _morning(place, text):
    answer = await ask(place, "remember the heron")
    to_kimi = await asked(place, "kimi_upload_files", files=[str(text)])
    to_glm = await asked(place, "glm_upload_file", file=str(text))
    return answer["continuation_offer"]["continuation_id"], [to_kimi, to_glm]


async def ask(place, prompt, **more):
    return await asked(place, "chat", prompt=prompt, model="glm-4.5-flash", **more)


async def _large_result(place, path):
    path.write_text("a line of a large result\n" * (16 * MB // 25))
    result = await said(place, "call", "test_echo", f"prompt=@{path}")
    assert path.read_text()[:1000] in result


async def _outage(place, project, again, until):
    project.postgres.stop()
    await ask(place, "away", continuation_id=again)
    project.postgres.start_again()
    await until(lambda: _messages(project) == 4)


async def _second_machine(place, text, again):
    await ask(place, "which bird?", continuation_id=again)
    return await asked(place, "kimi_upload_files", files=[str(text)])


async def _evening(one, two, project):
    cleaned = json.loads(await said(two, "cleanup", "--json"))
    checks = [await said(place, "storage", "check", "--full") for place in (one, two)]

    assert ([], []) == (cleaned["faults"], cleaned["unknown_files"])
    assert all("nothing is wrong" in each for each in checks)
    assert [(2, True)] == project.execute(
        "select count(*), bool_and(file_id <> '') from provider_file_uploads where upload_status = 'completed'"
    )
    assert {"exai-files": 1, "exai-bus": 1} == {
        name: len(bucket.objects) for name, bucket in project.storage.buckets.items()
    }
    assert [("glm-4.5-flash", True)] == [
        (model, average > 0) for model, average in project.execute(QUERY)
    ]


def _told(places, project):
    """All that is written down of what has happened: logs, audits, and why something failed."""
    logs = [path.read_text() for place in places for path in place.logs.rglob("*.log*")]
    rows = [project.execute(query) for query in TOLD]
    for place in places:
        with closing(sqlite3.connect(place.exai / "state" / "exai.db")) as database:
            rows += [database.execute(query).fetchall() for query in TOLD]
            rows += database.execute("SELECT refused FROM outbox").fetchall()
    assert all((logs, rows[len(TOLD)]))
    return f"{logs} {rows}"


def _messages(project):
    return project.execute("select count(*) from messages")[0][0]


def _way(answer):
    (found,) = _files(answer)
    assert found["supabase_file_id"]
    return found["upload_method"], found["reused"]


def _files(answer):
    """The facts of each file of an answer, wherever they stand."""
    if isinstance(answer, dict):
        if "upload_method" in answer:
            yield answer
            return
        answer = list(answer.values())
    if isinstance(answer, str) and "upload_method" in answer:
        answer = json.loads(answer)
        yield from _files(answer)
    elif isinstance(answer, list):
        for each in answer:
            yield from _files(each)
