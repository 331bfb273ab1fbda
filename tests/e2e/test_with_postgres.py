"""Real daemons on homes of their own that share one PostgreSQL: conversations go on anywhere, calls survive a kill, the database goes away."""

import json
import sys
from itertools import count
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "storage"))

from hosted import fixtures

pytestmark = pytest.mark.real
started_stage, stage = fixtures.started_stage, fixtures.stage


@pytest.fixture
def new_machine_place(new_place, stage):
    """`new_machine_place()`: a home of its own, before the same database."""
    numbers = count()

    def place(**more):
        more.setdefault("EXAI_DAEMON_NAME", f"daemon-{next(numbers)}")
        more |= {"STORAGE_BACKEND": "postgres", "DATABASE_URL": stage.url}
        return new_place(simulate=True, http=True, **more)

    return place


async def ask(daemon, text, continuation_id=""):
    arguments = {"prompt": text, "model": "glm-4.5-flash", "continuation_id": continuation_id}
    async with daemon.place.client() as client:
        return await client.outcome("r1", "chat", **arguments)


def thread_of(answer):
    return json.loads(answer["outputs"][0]["text"])["continuation_offer"]["continuation_id"]


async def test_any_daemon_goes_on_with_a_conversation(new_machine_place, start):
    """Without waiting for anything: what one has kept, the other is asked with."""
    one, two = start(new_machine_place()), start(new_machine_place())
    thread = thread_of(await ask(one, "remember the word heron"))
    await ask(two, "which word?", thread)
    asked = (await two.requests())[-1]["body"]["messages"]

    assert any("heron" in str(message["content"]) for message in asked)


async def test_a_call_survives_the_kill_of_its_daemon(new_machine_place, start):
    """The next daemon of the same home has it from the database, and answers; another home's has nothing to do with it."""
    place, elsewhere = new_machine_place(), start(new_machine_place())
    first = start(place)
    async with place.client(protocol=2, session_id="mine") as one:
        await one.call("r1", prompt="hold on", delay_ms=2000)
        await one.hear_until("call_tool_ack")
        first.process.kill()
        first.process.wait()
    start(place)
    async with place.client(protocol=2, session_id="mine", last_seq=1) as again:
        answer = await again.hear_until("call_tool_res", request_id="r1")

    assert "hold on" == json.loads(answer["outputs"][0]["text"])["content"]
    assert 0 == (await elsewhere.health())["calls"]["accepted"]


async def test_while_the_database_is_away_calls_are_refused_in_words(
    new_machine_place, start, stage, until
):
    """A daemon starts all the same; once it is back, everything goes on by itself."""
    stage.postgres.stop()
    one = start(new_machine_place())
    refused = await ask(one, "too early")

    async def trouble():
        return [line for line in (await one.health())["troubles"] if "PostgreSQL" in line]

    told = await until(trouble)
    stage.postgres.start_again()

    async def answered():
        return "outputs" in await ask(one, "in time")

    await until(answered)

    async def well():
        return not (await one.health())["troubles"]

    await until(well)

    assert "SERVICE_UNAVAILABLE" == refused["error"]["code"]
    assert told


async def test_a_database_that_was_never_migrated_stops_the_start(new_machine_place, stage):
    """In words that name the command, before any port is served."""
    place = new_machine_place()
    stage.execute("alter function public.exai_state() rename to exai_state_away")
    try:
        code, _, said = place.run("serve")
    finally:
        stage.execute("alter function public.exai_state_away() rename to exai_state")

    assert 1 == code
    assert "exai storage migrate" in said
