"""Real daemons on homes of their own that share one PostgreSQL: conversations go on anywhere, calls survive a kill, the database goes away."""

import json
import signal
import sys
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
import trio
from trio_websocket import ConnectionClosed

sys.path.insert(0, str(Path(__file__).parents[1] / "storage"))

from hosted import fixtures

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]
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


async def heard_up_to(client, request_id):
    """What a client hears up to the outcome of one more call."""
    await client.call(request_id, prompt="more")
    heard = [await client.hear()]
    while request_id not in answered(heard):
        heard.append(await client.hear())
    return heard


async def heard_to_the_end(client):
    heard = []
    with suppress(ConnectionClosed):
        while True:
            heard.append(await client.hear())
    return heard


def answered(heard):
    return [frame["request_id"] for frame in heard if frame["op"] == "call_tool_res"]


def content_of(answer):
    return json.loads(answer["outputs"][0]["text"])["content"]


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
    """The next daemon of the same home has it from the database, and answers."""
    place = new_machine_place()
    first = start(place)
    async with place.client(protocol=2, session_id="mine") as one:
        await one.call("r1", prompt="hold on", delay_ms=2000)
        await one.hear_until("call_tool_ack")
        first.process.kill()
        first.process.wait()
    start(place)
    async with place.client(protocol=2, session_id="mine", last_seq=1) as again:
        answer = await again.hear_until("call_tool_res", request_id="r1")

    assert "hold on" == content_of(answer)


async def test_a_call_survives_its_machine(new_machine_place, start, stage):
    """Its client goes to another daemon at once, and has one answer there, after the lease of the dead one has ended."""
    dying, living = start(new_machine_place()), start(new_machine_place())
    async with dying.place.client(protocol=2, session_id="mine") as one:
        await one.call("r1", prompt="hold on", delay_ms=1500)
        await one.hear_until("call_tool_ack")
        dying.process.kill()
        dying.process.wait()
    async with living.place.client(protocol=2, session_id="mine", last_seq=1) as two:
        answer = await two.hear_until("call_tool_res", request_id="r1")
        heard = await heard_up_to(two, "r2")

    assert "hold on" == content_of(answer)
    assert ["r2"] == answered(heard)
    assert [(2, 1)] == stage.execute(
        "select max(c.attempts), count(*) from journal_calls as c where c.request = '\"r1\"'"
    )


async def test_a_frozen_daemon_does_no_harm(new_machine_place, start, stage, until):
    """Its call is answered by the other one; when it goes on, what it has done counts for nothing, and it takes clients again."""
    frozen, living = start(new_machine_place()), start(new_machine_place())
    async with frozen.place.client(protocol=2, session_id="mine") as one:
        await one.call("r1", prompt="hold on", delay_ms=1500)
        await one.hear_until("call_tool_ack")
        frozen.process.send_signal(signal.SIGSTOP)
        try:
            async with living.place.client(protocol=2, session_id="mine", last_seq=1) as two:
                answer = await two.hear_until("call_tool_res", request_id="r1")
        finally:
            frozen.process.send_signal(signal.SIGCONT)
        late = await heard_to_the_end(one)

    async def takes_clients():
        return "outputs" in await ask(frozen, "well again")

    await until(takes_clients)
    kept = stage.execute("select outcome_frame from journal_calls where session = 'mine'")

    assert "hold on" == content_of(answer)
    assert [] == answered(late)
    assert [content_of(answer)] == [content_of(json.loads(frame)) for (frame,) in kept]


async def test_a_client_that_moves_finds_its_call(new_machine_place, start, stage):
    """The call runs on where it was accepted; who has the client now tells its outcome, once."""
    one, two = start(new_machine_place()), start(new_machine_place())
    last = 0
    async with one.place.client(protocol=2, session_id="mine") as client:
        await client.call("r1", prompt="hold on", delay_ms=1500)
        last = (await client.hear_until("call_tool_ack"))["seq"]
        async with two.place.client(protocol=2, session_id="mine", last_seq=last) as there:
            bye = await client.hear_until("bye")
            answer = await there.hear_until("call_tool_res", request_id="r1")

    assert "superseded" == bye["reason"]
    assert "hold on" == content_of(answer)
    assert [(1,)] == stage.execute("select attempts from journal_calls where session = 'mine'")


async def test_a_name_is_one_daemon_s(new_machine_place, start):
    """The second that is called so does not start, and says what to do, once it has waited for a lease to end."""
    start(new_machine_place(EXAI_DAEMON_NAME="same"))
    code, _, said = new_machine_place(EXAI_DAEMON_NAME="same").run("serve", within=50)

    assert 1 == code
    assert "EXAI_DAEMON_NAME" in said


async def test_the_permits_of_an_account_are_shared(new_machine_place, start, stage):
    """Two daemons, of which each would take two, and the account allows two in all."""
    one, two = (start(new_machine_place(EXAI_WS_GLM_MAX_INFLIGHT="2")) for _ in range(2))
    given = []

    async def calls(daemon):
        async with daemon.place.client() as client:
            for number in range(4):
                await client.call(f"r{number}", "chat", prompt="[[simulate: delay=0.5]]", model="glm-4.5-flash")  # fmt: skip
            for _ in range(4):
                await client.hear_until("call_tool_res")
                given.append(stage.execute("select sum(share) from lane_shares where lane = 'glm'"))

    async with trio.open_nursery() as running:
        running.start_soon(calls, one)
        running.start_soon(calls, two)

    assert {1, 2} >= {total for ((total,),) in given}


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
