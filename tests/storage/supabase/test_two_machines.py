"""Two machines that share one Supabase: each goes on with what the other has said, and neither loses a word."""

import pytest
import trio
from hosted.machine import open_machine

from exai_trio.errors import ServiceUnavailableError
from exai_trio.storage import mirror as mirroring
from exai_trio.storage.base import Step, Turn

pytestmark = pytest.mark.real
END = 4_000_000_000.0


def exchange(text, **more):
    return (
        Turn(role="user", text=text, tool="chat", at=1.0, key=f"q{text}", **more),
        Turn(role="assistant", text=f"to {text}", tool="chat", at=1.0, key=f"a{text}", model="m"),
    )


def texts(conversation):
    return [turn.text for turn in conversation.turns if turn.role == "user"]


@pytest.fixture
async def machines(gateway, tmp_path, monkeypatch):
    """Two, each of which looks at the other side whenever it is asked."""
    monkeypatch.setattr(mirroring, "FRESH_S", 0.0)
    at = (gateway.url, gateway.key)
    async with (
        open_machine(tmp_path / "a.db", *at) as one,
        open_machine(tmp_path / "b.db", *at) as two,
    ):
        yield one, two


async def test_each_goes_on_with_what_the_other_has_said(machines):
    """Turns and steps of both stand in one order on both machines."""
    one, two = machines
    await one.mirror.append("c", exchange("first"), 1, END)
    await one.mirror.add_step("c", Step(tool="debug", at=1.0, data={"n": 1}, key="s1"), 1, END)
    await one.wait_sent()
    there = await two.mirror.load("c", 2)
    await two.mirror.append("c", exchange("second"), 2, END)
    await two.wait_sent()
    back = await one.mirror.load("c", 3)
    await one.mirror.append("c", exchange("third"), 3, END)
    await one.wait_sent()
    both = [texts(await each.mirror.load("c", 4)) for each in machines]
    steps = await two.mirror.steps("c", 4)

    assert ["first"] == texts(there)
    assert ["first", "second"] == texts(back)
    assert [["first", "second", "third"]] * 2 == both
    assert [{"n": 1}] == [step.data for step in steps]


@pytest.fixture
async def mute(gateway, tmp_path, monkeypatch):
    """A third, which reads the other side and does not get to send."""
    monkeypatch.setattr(mirroring, "FRESH_S", 0.0)
    async with open_machine(tmp_path / "c.db", gateway.url, gateway.key, sends=False) as machine:
        yield machine


async def test_what_is_not_sent_yet_stands_last(machines, mute):
    """A machine sees its own turns after what came meanwhile, and once they have arrived all see the same."""
    one, _ = machines
    await one.mirror.append("c", exchange("first"), 1, END)
    await one.wait_sent()
    await mute.mirror.load("c", 1)
    await mute.mirror.append("c", exchange("unsent"), 2, END)
    await one.mirror.append("c", exchange("meanwhile"), 2, END)
    await one.wait_sent()
    before = texts(await mute.mirror.load("c", 3))
    async with trio.open_nursery() as sending:
        sending.start_soon(mute.sender.run)
        await mute.wait_sent()
        sending.cancel_scope.cancel()
    after = [texts(await each.mirror.load("c", 3)) for each in (mute, *machines)]

    assert ["first", "meanwhile", "unsent"] == before
    assert [before] * 3 == after


async def test_what_was_deleted_here_does_not_come_back(machines, mute):
    """While the other side has not heard of it."""
    one, _ = machines
    await one.mirror.append("c", exchange("first"), 1, END)
    await one.wait_sent()
    seen = await mute.mirror.load("c", 1)
    await mute.mirror.delete("c", 2)

    assert (True, None) == (seen is not None, await mute.mirror.load("c", 2))


async def test_a_deleted_conversation_is_gone_everywhere(machines):
    """And does not come back to the machine that deleted it, sent or not."""
    one, two = machines
    await one.mirror.append("c", exchange("first"), 1, END)
    await one.wait_sent()
    seen = await two.mirror.load("c", 1)
    await one.mirror.delete("c", 2)
    at_once = await one.mirror.load("c", 2)
    await one.wait_sent()
    after = [await each.mirror.load("c", 3) for each in machines]

    assert seen is not None
    assert [None, None, None] == [at_once, *after]


async def test_a_name_is_known_on_the_other_machine(machines):
    """One may go on by a name that was given elsewhere; a name that is taken there is parked, and seen."""
    one, two = machines
    await one.mirror.append("c", exchange("first"), 1, END)
    await one.mirror.name("c", "plan", 1)
    await one.wait_sent()
    found = await two.mirror.named("plan", 2)
    await two.mirror.append("d", exchange("other"), 2, END)
    await two.mirror.name("d", "plan", 2)
    await two.wait_sent()
    (parked,) = await two.outbox.parked()

    assert "c" == found
    assert ("name", "23505") == (parked.kind, parked.refused)


async def test_a_copy_goes_there_whole(machines):
    """A fork, and a conversation of before Supabase, are sent with all turns as soon as they are told of at all; twice is once."""
    one, two = machines
    await one.store.append("old", exchange("embedded"), 1, END)
    await one.mirror.append("old", exchange("goes on"), 2, END)
    await one.mirror.fork("old", "copy", 3, END)
    await one.store.append("quiet", exchange("left alone"), 1, END)
    await one.mirror.local.threads.name("quiet", "calm", 1)
    pushed = [await one.mirror.local.tell_all() for _ in range(2)]
    await one.wait_sent()
    found = {name: texts(await two.mirror.load(name, 4)) for name in ("old", "copy", "quiet")}

    assert "quiet" == await two.mirror.remote.ask(lambda there: there.named("owner", "calm", 4), 5)
    assert [1, 0] == pushed
    assert {
        "old": ["embedded", "goes on"],
        "copy": ["embedded", "goes on"],
        "quiet": ["left alone"],
    } == found


async def test_another_principals_conversation_is_not_there(machines):
    """Neither here nor there: whoever asks for it in another's name is told nothing of it."""
    one, two = machines
    await one.mirror.append("c", exchange("mine"), 1, END)
    await one.wait_sent()

    assert await two.mirror.of("jwt:b").load("c", 2) is None
    assert texts(await two.mirror.load("c", 2)) == ["mine"]


async def test_what_is_not_here_while_it_is_away_is_unavailable_not_unknown(machines, gateway):
    """A caller can tell a conversation that may exist from one that does not."""
    one, two = machines
    await one.mirror.append("c", exchange("first"), 1, END)
    await one.mirror.append("named", exchange("x"), 1, END)
    await one.mirror.name("named", "plan", 1)
    await one.wait_sent()
    gateway.break_all(status=503)
    with pytest.raises(ServiceUnavailableError, match="not on this machine"):
        await two.mirror.load("c", 2)
    here = await one.mirror.load("c", 2)
    by_name = await one.mirror.load("plan", 2)  # a name, which is looked for next
    gateway.mend()
    there = await two.mirror.load("c", 3)

    assert (["first"], None) == (texts(here), by_name)
    assert "cannot be reached" in here.notice
    assert ("", ["first"]) == (there.notice, texts(there))


async def test_a_long_conversation_comes_in_pages(machines):
    """Each page is kept before the next is asked for: 1,201 messages arrive in order."""
    one, two = machines
    numbered = tuple(
        Turn(role="user", text=f"{n}", tool="chat", at=1.0, key=f"k{n}") for n in range(1201)
    )
    for start in range(0, len(numbered), 300):
        await one.mirror.append("c", numbered[start : start + 300], 1, END)
    await one.wait_sent()
    found = await two.mirror.load("c", 2)

    assert [turn.text for turn in numbered] == texts(found)


async def test_a_machine_looks_at_most_every_five_seconds(gateway, tmp_path):
    """Within that time a conversation is read here alone."""
    async with open_machine(tmp_path / "a.db", gateway.url, gateway.key) as one:
        await one.mirror.append("c", exchange("first"), 1, END)
        await one.wait_sent()
        gateway.requests.clear()
        for _ in range(5):
            await one.mirror.load("c", 2)
            await one.mirror.steps("c", 2)
        asked = [path for path in gateway.requests if path.endswith("exai_tail")]
        rate = one.mirror.looks.hit_rate

    assert (1, 0.9) == (len(asked), rate)


async def test_own_turns_are_not_fetched_back(machines):
    """What arrived is known to have: the next look brings nothing."""
    one, _ = machines
    for number in range(3):
        await one.mirror.append("c", exchange(f"{number}"), 1, END)
        await one.mirror.add_step("c", Step(tool="d", at=1.0, data={}, key=f"s{number}"), 1, END)
    await one.wait_sent()
    mark = await one.mirror.local.mark("c")
    tail = await one.remote.tail("c", mark)

    assert ((), ()) == (tail.turns, tail.steps)


async def test_a_clock_an_hour_ahead_makes_nothing_end_earlier_or_later(gateway, tmp_path, stage):
    """The database's time counts: what one machine keeps for an hour ends in an hour there."""
    real = stage.execute("select extract(epoch from now())::float8")[0][0]
    ahead = real + 3600
    async with open_machine(tmp_path / "a.db", gateway.url, gateway.key, now=lambda: ahead) as one:
        await one.remote.state()
        await one.mirror.append("c", exchange("first"), ahead, ahead + 3600)
        await one.wait_sent()
        back = await one.remote.tail("c", mirroring.Mark())
    (left,) = stage.execute(
        "select extract(epoch from expires_at - now())::float8 from conversations"
    )[0]

    assert 3500 < left < 3700
    assert abs(back.expires_at - (ahead + 3600)) < 60
    await trio.lowlevel.checkpoint()
