"""Real daemons on homes of their own that share one Supabase: what users do in a day, with Supabase killed and back."""

import json
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "storage"))

from hosted import fixtures

pytestmark = pytest.mark.real
started_stage, stage, gateway = fixtures.started_stage, fixtures.stage, fixtures.gateway

QUERY = """
    SELECT metadata->>'model_used' as model,
        AVG(CAST(metadata->'latency_metrics'->>'latency_ms' AS FLOAT)) FROM messages WHERE role = 'assistant'
        AND metadata->'latency_metrics' IS NOT NULL GROUP BY metadata->>'model_used'
"""
WAITS = """
    SELECT AVG(CAST(metadata->'latency_metrics'->>'global_sem_wait_ms' AS FLOAT)),
        AVG(CAST(metadata->'latency_metrics'->>'provider_sem_wait_ms' AS FLOAT)) FROM messages
    WHERE role = 'assistant'
"""


@pytest.fixture
def new_machine(new_place, start, gateway):
    """`new_machine()`: a daemon with a simulator on a home of its own, before the same Supabase."""

    def machine(**more):
        return start(
            new_place(
                simulate=True,
                http=True,
                STORAGE_BACKEND="supabase",
                SUPABASE_URL=gateway.url,
                SUPABASE_KEY=gateway.key,
                **more,
            )
        )

    return machine


async def ask(daemon, text, continuation_id="", **more):
    """The answer as the client of an editor sees it, and the metadata of its output."""
    arguments = {
        "prompt": text,
        "model": "glm-4.5-flash",
        "continuation_id": continuation_id,
        **more,
    }
    async with daemon.place.client() as client:
        return await client.outcome("r1", "chat", **arguments)


def thread_of(answer):
    return json.loads(answer["outputs"][0]["text"])["continuation_offer"]["continuation_id"]


async def wait_sent(daemon, until):
    async def empty():
        return not (await daemon.health())["storage"]["outbox"]["entries"]

    await until(empty)


async def test_two_daemons_continue_each_others_conversations(new_machine, stage, until):
    """A question on one machine, the next on the other, and back: each model is shown what was said on both."""
    one, two = new_machine(), new_machine()
    first = await ask(one, "remember the word heron")
    thread = thread_of(first)
    await until(lambda: len(stage.execute("select * from messages")) == 2)
    await ask(two, "which word?", thread)
    await until(lambda: len(stage.execute("select * from messages")) == 4)
    asked = (await two.requests())[-1]["body"]["messages"]

    assert any("heron" in str(message["content"]) for message in asked)
    rows = stage.execute(
        "select number, role from messages where conversation_id = %s order by number", thread
    )
    assert [(1, "user"), (2, "assistant"), (3, "user"), (4, "assistant")] == rows


async def test_the_query_of_the_older_system_gives_right_figures(new_machine, stage, until):
    """On what real calls left behind, unchanged: the model's name, and the time that the answers themselves tell."""
    one = new_machine()
    told = [(await ask(one, f"question {number}"))["outputs"][0]["metadata"] for number in range(3)]
    await until(lambda: len(stage.execute("select * from messages")) == 6)
    rows, waits = stage.execute(QUERY), stage.execute(WAITS)
    average = sum(each["latency_metrics"]["latency_ms"] for each in told) / len(told)

    assert [told[0]["model_used"]] == [model for model, _ in rows]
    assert 0 < rows[0][1] <= average
    assert all(value is not None and value >= 0 for value in waits[0])


async def test_an_outage_refuses_no_call_and_loses_nothing(new_machine, gateway, stage, until):
    """Away at the start, back, away again under load, back: every exchange is there once, and the daemon is told of no trouble."""
    gateway.break_all(status=503)
    one = new_machine()
    thread = thread_of(await ask(one, "first"))
    for number in range(5):
        await ask(one, f"away {number}", thread)
    gateway.mend()
    await until(lambda: len(stage.execute("select * from messages")) == 12)
    gateway.break_all(black_hole=True)
    for number in range(3):
        answer = await ask(one, f"black hole {number}", thread)
    gateway.mend()
    await until(lambda: len(stage.execute("select * from messages")) == 18)
    texts = [
        row[0]
        for row in stage.execute("select content from messages where role = 'user' order by number")
    ]

    assert "outputs" in answer
    assert [
        "first",
        *(f"away {n}" for n in range(5)),
        *(f"black hole {n}" for n in range(3)),
    ] == texts


async def test_what_is_elsewhere_while_supabase_is_away_is_unavailable(
    new_machine, gateway, stage, until
):
    """Not NOT_FOUND: the conversation may well exist. What is here goes on, and the answer says that it may be old."""
    one, two = new_machine(), new_machine()
    thread = thread_of(await ask(one, "first"))
    await until(lambda: len(stage.execute("select * from messages")) == 2)
    gateway.break_all(status=503)
    refused = await ask(two, "go on", thread)
    unknown = await ask(one, "x", "00000000-0000-4000-8000-000000000000")
    gateway.mend()
    nobody = await ask(one, "x", "00000000-0000-4000-8000-000000000000")

    assert "SERVICE_UNAVAILABLE" == refused["error"]["code"] == unknown["error"]["code"]
    assert "NOT_FOUND" == nobody["error"]["code"]


async def test_a_daemon_that_stops_sends_what_it_can(new_machine, stage):
    """Within two seconds after its calls have ended: nothing is left for its next life."""
    one = new_machine()
    await ask(one, "last words")
    one.signal()
    assert (0, "") == await one.wait()

    assert 2 == len(stage.execute("select * from messages"))


async def test_the_health_of_the_hosted_side_is_told(new_machine, gateway, until):
    """Schema, outbox and breaker stand in /health; a refused key is a trouble that names its remedy, and ends with it."""
    one = new_machine()

    async def schema():
        return (await one.health())["storage"]["schema"]

    await until(schema)
    storage = (await one.health())["storage"]
    gateway.key, key = "sb_secret_another", gateway.key
    await ask(one, "kept all the same")

    async def troubled():
        return [line for line in (await one.health())["troubles"] if "SUPABASE_KEY" in line]

    await until(troubled)
    gateway.key = key
    one.signal(signal.SIGHUP)

    async def well():
        return not (await one.health())["troubles"]

    await until(well)

    assert ("supabase", "closed") == (storage["backend"], storage["breaker"])
    assert {"entries", "bytes", "oldest_s", "parked"} == set(storage["outbox"])
