"""What the outbox bears: outages, lost answers, refused entries, keys and schemas that somebody must mend. Counted, not sampled."""

import attrs
import pytest
import trio
from hosted.gateway import Switches
from hosted.machine import open_machine

from exai_trio.storage.base import Step, Turn
from exai_trio.storage.hosted.hosted_faults import KeyRefused, SchemaDiffers

pytestmark = pytest.mark.real
END = 4_000_000_000.0
APPLY = "/rest/v1/rpc/exai_apply"


def turn(number):
    return Turn(role="user", text=f"{number}", tool="chat", at=1.0, key=f"k{number}")


@pytest.fixture
async def one(gateway, tmp_path):
    async with open_machine(tmp_path / "a.db", gateway.url, gateway.key) as machine:
        yield machine


def kept(stage, conversation="c"):
    """What the database has of a conversation, in its order."""
    rows = stage.execute(
        "select content from messages where conversation_id = %s order by number", conversation
    )
    return [row[0] for row in rows]


async def wait_failing(machine):
    while not machine.sender.is_held_up:
        await trio.sleep(0.01)


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": 503},
        {"status": 502},
        {"status": 429, "retry_after": "0"},
        {"cut": 0},
        {"cut": 5},
        {"cut_request": True},
    ],
    ids=lambda wrong: "-".join(map(str, wrong.values())),
)
async def test_what_was_kept_meanwhile_arrives_once_and_in_order(one, gateway, stage, wrong):
    """Whatever is wrong for a while, also an answer that is lost after the commit: 60 turns are there, once each, in order."""
    gateway.break_all(**wrong)
    for number in range(60):
        await one.mirror.append("c", (turn(number),), 1, END)
    await wait_failing(one)
    gateway.mend()
    await one.wait_sent()

    assert [f"{n}" for n in range(60)] == kept(stage)


async def test_nothing_is_slowed_while_nobody_answers(one, gateway, stage):
    """In a black hole every call is kept, and read, without waiting once the breaker is open."""
    one.mirror.remote.breaker.threshold = 1
    await one.mirror.append("c", (turn(0),), 1, END)
    await one.wait_sent()
    gateway.break_all(black_hole=True)
    await one.mirror.append("c", (turn(1),), 1, END)
    await wait_failing(one)
    gateway.requests.clear()
    for number in range(2, 102):
        await one.mirror.append("c", (turn(number),), 1, END)
        one.mirror.looks.forget()
        found = await one.mirror.load("c", 2)
    asked = [path for path in gateway.requests if path != APPLY]
    gateway.mend()
    one.sender.try_now()
    await one.wait_sent()

    assert ([], 102) == (asked, len(found.turns))
    assert [f"{n}" for n in range(102)] == kept(stage)


async def test_one_bad_entry_among_a_thousand_is_parked(one, gateway, stage):
    """999 are there, the one is named with its code; sent again it is refused again, and others go on."""
    gateway.break_all(status=503)
    for number in range(1000):
        bad = number == 500
        role = "nobody" if bad else "user"
        await one.mirror.append(
            "bad" if bad else "c", (attrs.evolve(turn(number), role=role),), 1, END
        )
    gateway.mend()
    one.sender.try_now()
    await one.wait_sent()
    parked = await one.outbox.parked()
    retried = await one.outbox.retry()
    await one.mirror.append("c", (turn(1000),), 1, END)
    await one.wait_sent()
    again = await one.outbox.parked()

    assert [f"{n}" for n in range(1001) if n != 500] == kept(stage)
    assert [("m:k500", "23514")] == [(each.id, each.refused) for each in parked]
    assert (1, ["m:k500"]) == (retried, [each.id for each in again])


MENDED = [
    pytest.param(
        "revoke execute on function public.exai_apply(jsonb, double precision) from service_role",
        "grant execute on function public.exai_apply(jsonb, double precision) to service_role",
        KeyRefused,
        id="grant",
    ),
    pytest.param(
        "revoke insert on public.messages from service_role",
        "grant insert on public.messages to service_role",
        KeyRefused,
        id="table",
    ),
    pytest.param(
        "alter table public.messages rename to gone",
        "alter table public.gone rename to messages",
        SchemaDiffers,
        id="schema",
    ),
]


@pytest.mark.parametrize(("broken", "mended", "kind"), MENDED)
async def test_what_somebody_must_mend_stops_the_sending_and_loses_nothing(
    one, stage, broken, mended, kind
):
    """A trouble of that kind; nothing is parked, and all arrives after the repair."""
    await one.mirror.append("c", (turn(0),), 1, END)
    await one.wait_sent()
    stage.execute(broken)
    try:
        for number in range(1, 5):
            await one.mirror.append("c", (turn(number),), 1, END)
        await wait_failing(one)
        trouble, depth = one.sender.trouble, await one.outbox.depth()
    finally:
        stage.execute(mended)
    one.sender.try_now()
    await one.wait_sent()

    assert (kind, 4, 0) == (type(trouble), depth.entries, depth.parked)
    assert [f"{n}" for n in range(5)] == kept(stage)


async def test_a_key_that_was_exchanged_is_a_trouble(one, gateway, stage):
    """Its remedy is named; nothing that was kept quotes itself in it."""
    key, gateway.key = gateway.key, "sb_secret_the_new_one"
    await one.mirror.append("c", (turn(0),), 1, END)
    await wait_failing(one)
    trouble = one.sender.trouble
    gateway.key = key
    one.sender.try_now()
    await one.wait_sent()

    assert isinstance(trouble, KeyRefused)
    assert "SUPABASE_KEY" in trouble.message
    assert ["0"] == kept(stage)


async def test_a_database_that_takes_no_writes_is_an_outage(one, gateway, stage):
    """25006 is waited for: nothing is parked, and the fault says what it is."""
    gateway.break_all(status=405, body=b'{"code":"25006","details":null,"hint":null,"message":"x"}')
    await one.mirror.append("c", (turn(0),), 1, END)
    await wait_failing(one)
    fault, depth = one.mirror.remote.fault, await one.outbox.depth()
    gateway.mend()
    one.sender.try_now()
    await one.wait_sent()

    assert ("25006", None) == (fault.reason, one.sender.trouble)
    assert "takes no writes" in fault.message
    assert (1, 0) == (depth.entries, depth.parked)
    assert ["0"] == kept(stage)


@pytest.mark.parametrize(("times", "parked"), [(2, 0), (4, 1)])
async def test_a_request_that_is_too_large_is_halved(gateway, tmp_path, stage, times, parked):
    """A gateway that takes no batch is sent smaller ones; an entry that is too large alone is set apart."""
    async with open_machine(tmp_path / "a.db", gateway.url, gateway.key, sends=False) as one:
        for number in range(8):
            await one.mirror.append("c", (turn(number),), 1, END)
        gateway.wrong[APPLY] = Switches(status=413, times=times)
        async with trio.open_nursery() as sending:
            sending.start_soon(one.sender.run)
            await one.wait_sent()
            sending.cancel_scope.cancel()
        depth = await one.outbox.depth()

    assert [f"{n}" for n in range(parked, 8)] == kept(stage)
    assert parked == depth.parked


async def test_a_turn_of_nine_megabytes_is_kept_there_too(one, stage):
    """It is a batch of its own."""
    large = attrs.evolve(turn(0), text="x" * 9_000_000)
    await one.mirror.append("c", (large, turn(1)), 1, END)
    await one.wait_sent()

    assert [9_000_000, 1] == [len(text) for text in kept(stage)]


async def test_cancelled_at_any_step_it_is_there_exactly_once(
    gateway, tmp_path, stage, cancel_at_every_step
):
    """A machine that is cut at each step of appending and sending leaves an outbox that arrives once, with the same key."""
    runs = iter(range(10_000))

    async def scenario():
        number = next(runs)
        path = tmp_path / "a.db"
        async with open_machine(path, gateway.url, gateway.key) as machine:
            await machine.mirror.append("c", (turn(number),), 1, END)
            await machine.mirror.add_step(
                "c", Step(tool="d", at=1.0, data={}, key=f"s{number}"), 1, END
            )
            await machine.wait_sent()

    steps = await cancel_at_every_step(scenario, lambda: None)
    async with open_machine(tmp_path / "a.db", gateway.url, gateway.key) as machine:
        await machine.wait_sent()
        here = await machine.mirror.load("c", 2)
    there = kept(stage)

    assert steps > 20
    assert [each.text for each in here.turns] == there
    assert len(set(there)) == len(there)


async def test_machines_that_send_the_same_conversations_never_deadlock(gateway, tmp_path, stage):
    """Four outboxes with 20 conversations in other orders: all arrive, and no entry is tried again for a deadlock."""
    names = [f"c{n}" for n in range(20)]
    before = _deadlocks(stage)
    async with trio.open_nursery() as working:

        async def work(number):
            path = tmp_path / f"{number}.db"
            async with open_machine(path, gateway.url, gateway.key, sends=False) as machine:
                for place in range(100):
                    name = names[(place * (2 * number + 3) + number) % 20]
                    await machine.mirror.append(name, (turn(f"{number}-{place}"),), 1, END)
                async with trio.open_nursery() as sending:
                    sending.start_soon(machine.sender.run)
                    await machine.wait_sent()
                    sending.cancel_scope.cancel()

        for number in range(4):
            working.start_soon(work, number)

    (count,) = stage.execute("select count(*) from messages")[0]
    assert (400, before) == (count, _deadlocks(stage))


def _deadlocks(stage):
    """Of this server so far, whichever test they were in."""
    (row,) = stage.execute("select deadlocks from pg_stat_database where datname = 'postgres'")
    return row[0]
