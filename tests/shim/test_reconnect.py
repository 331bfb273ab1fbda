"""When the daemon is tried again, and what those who wait are told meanwhile."""

import attrs
import pytest
import trio

from exai_trio.transport.websocket import NotListening


async def test_a_request_wakes_the_loop(make_world, autojump_clock):
    """A new request ends the pause between two attempts."""
    async with make_world(up=False) as world:
        await trio.sleep(200)
        world.daemon.up = True
        start = trio.current_time()
        world.call(1)
        await world.lines.wait_answer(1)

    assert trio.current_time() - start < 1


async def test_the_pauses_double_to_their_limit(make_world, autojump_clock):
    """Attempts follow 0.25 s doubled up to 30 s, with a tenth of jitter, for ever."""
    async with make_world(up=False) as world:
        await trio.sleep(3600)
        attempts = world.daemon.attempts

    assert 7 + 3500 / 33 < attempts < 9 + 3600 / 27


async def test_a_door_of_this_machine_that_is_closed_is_tried_more_often(
    make_world, autojump_clock
):
    """While nobody listens here a pause is a tenth of the absence, so a daemon that was away for 5 s is found within 0.6 s."""
    async with make_world(up=False, unreachable=NotListening) as world:
        await trio.sleep(5)
        world.daemon.up = True
        await world.daemon.wait_for("hello")
        found = trio.current_time()

    assert found < 5.6
    assert world.daemon.attempts < 60


async def test_a_door_elsewhere_that_is_closed_has_its_rest(make_world, config, autojump_clock):
    """Another machine is asked at doubling pauses, whatever the reason."""
    elsewhere = attrs.evolve(config, ws_host="192.0.2.1")
    async with make_world(elsewhere, up=False, unreachable=NotListening) as world:
        await trio.sleep(5)

    assert world.daemon.attempts < 9


@pytest.mark.parametrize("asking_every_s", [0.1, 1e9])
async def test_a_storm_is_slowed(make_world, autojump_clock, asking_every_s):
    """A daemon that accepts connections and drops them is left alone for five seconds after the fifth, whoever asks."""
    async with make_world(dropped_visits=1_000_000) as world:
        with trio.move_on_after(60):
            for id_ in range(100_000):
                world.call(id_)
                await trio.sleep(asking_every_s)

    assert 5 + 60 / 6.5 < world.daemon.visits <= 5 + 60 / 5


async def test_a_storm_passes(make_world, autojump_clock):
    """The shim lives through it: the next daemon that keeps the connection answers what has waited, and a later loss is
    no storm any more."""
    async with make_world(dropped_visits=8) as world:
        await world.daemon.wait_for("hello", 7)
        world.call(1)
        await world.lines.wait_answer(1)
        await world.daemon.hang_up()
        start = trio.current_time()
        world.call(2)
        await world.lines.wait_answer(2)

    assert world.daemon.visits == 10
    assert trio.current_time() - start < 1


async def test_connections_that_bring_answers_are_no_storm(make_world, autojump_clock):
    """A daemon that dies again and again, but answers something each time, is asked again at once."""
    async with make_world() as world:
        for id_ in range(12):
            world.call(id_)
            await world.lines.wait_answer(id_)
            await world.daemon.hang_up()

    assert trio.current_time() < 12


@pytest.mark.parametrize("host", ["127.0.0.1", "::"])
async def test_a_closed_door_is_no_storm(make_world, config, autojump_clock, host):
    """However often it was tried: who asks is answered as soon as somebody listens. All addresses are this machine's too."""
    settings = attrs.evolve(config, ws_host=host)
    async with make_world(settings, up=False, unreachable=NotListening) as world:
        await trio.sleep(5)
        attempts, world.daemon.up = world.daemon.attempts, True
        start = trio.current_time()
        world.call(1)
        await world.lines.wait_answer(1)

    assert attempts > 10
    assert trio.current_time() - start < 0.2


async def test_a_refusal_is_no_storm(make_world, autojump_clock):
    """However often the token was refused: who asks hears it at once."""
    async with make_world(hello_error="unauthorized") as world:
        for id_ in range(10):
            start = trio.current_time()
            world.call(id_)
            await world.lines.wait_answer(id_)

    assert trio.current_time() - start < 0.2


async def test_a_request_ends_one_pause_only(make_world, autojump_clock):
    """While it waits, the pauses double as if nobody had asked."""
    async with make_world(up=False) as world:
        await trio.sleep(1)
        world.call(1)
        await trio.sleep(30)

    assert world.daemon.attempts < 10


async def test_shims_do_not_leave_a_storm_together(make_world, autojump_clock):
    """The rest is spread by a fifth: the sixth visits of ten shims are not in one instant."""
    moments = []

    async def ride():
        async with make_world(dropped_visits=6) as world:
            await world.daemon.wait_for("hello", 6)
            moments.append(trio.current_time())

    async with trio.open_nursery() as shims:
        for _ in range(10):
            shims.start_soon(ride)

    assert len({round(moment, 3) for moment in moments}) > 5
    assert 5 <= min(moments) < max(moments) < 8.5


async def test_who_waits_is_told_that_the_daemon_is_away(make_world, autojump_clock):
    """Progress for open calls with a token names the attempt and the time until the next."""
    async with make_world(up=False) as world:
        world.call(1, token=5)
        await trio.sleep(40)
        told = world.lines.progress()

    assert "daemon away" in told[0]["message"]
    assert "attempt" in told[-1]["message"]
    values = [params["progress"] for params in told]
    assert values == sorted(set(values))
    assert len(told) < 45


async def test_connections_that_last_are_no_storm(make_world, autojump_clock):
    """One that brought nothing for two seconds was worth making: the next is made at once."""
    async with make_world(silent=True) as world:
        for count in range(1, 13):
            await world.daemon.wait_for("list_tools", count)
            await trio.sleep(2)
            await world.daemon.hang_up()
        took = trio.current_time()

    assert took < 12 * (2 + 1)


async def test_a_storm_after_good_days_is_slowed_too(make_world, autojump_clock):
    """What an earlier connection brought says nothing of the later ones."""
    async with make_world() as world:
        world.call(1)
        await world.lines.wait_answer(1)
        await trio.sleep(5)
        world.daemon.dropped_visits = 1_000_000
        await world.daemon.hang_up()
        await trio.sleep(60)

    assert world.daemon.visits <= 6 + 60 / 5


@pytest.mark.parametrize(
    ("facts", "why"),
    [({"up": False}, "nothing listens"), ({"mute_visits": 9}, "no answer in time")],
)
async def test_who_waits_is_told_why_the_daemon_is_away(make_world, autojump_clock, facts, why):
    """In the words of whatever ended the last attempt."""
    async with make_world(**facts) as world:
        world.call(1, token="p")
        await trio.sleep(20)
        told = world.lines.progress()

    assert f"({why})" in told[0]["message"]


async def test_who_waits_is_told_during_the_longest_pause_too(make_world, config, autojump_clock):
    """Editors give up what says nothing."""
    async with make_world(up=False) as world:
        await trio.sleep(300)
        world.call(1, token=5)
        await trio.sleep(60)
        told = world.lines.progress()

    assert len(told) > 60 / config.progress_interval_s / 2


async def test_an_absence_is_told_once_a_second_at_most(make_world, autojump_clock):
    """However often the daemon is tried."""
    async with make_world(silent=True) as world:
        world.call(1, token="p")
        now = trio.current_time()
        for moment in (0.0, 0.5, 0.9, 1.0, 1.5):
            world.relay.away("away", now + moment)
        await world.writer.wait_empty()
        told = world.lines.progress()

    assert 2 == len(told)
