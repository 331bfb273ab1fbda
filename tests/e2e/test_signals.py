"""What signals do to a daemon at work: drained, interrupted or cut, it always leaves with 0 and leaves nothing behind."""

import json
import os
import signal

import pytest
import trio

pytestmark = pytest.mark.real

LONG_MS = 600_000


async def test_the_first_signal_lets_calls_finish(new_place, start, fetch, until):
    """During the drain the call goes on, clients hear bye, new ones are refused, readiness is 503 while health is answered."""
    place = new_place(http=True, EXAI_DRAIN_S="60", EXAI_PROGRESS_INTERVAL_S="0.1")
    daemon = start(place)
    async with place.client() as one:
        await one.call("r1", prompt="finish me", delay_ms=LONG_MS)
        await one.hear_until("call_tool_ack")
        daemon.signal()
        bye = await one.hear_until("bye")
        await until(lambda: _refused(place.port))
        ready = await fetch(place.health, "/health/ready")
        health = await fetch(place.health, "/health")
        again = await one.outcome("r2", prompt="too late")
        await one.say("cancel", request_id="r1")
        ended = await one.hear_until("call_tool_res", request_id="r1")
        closed = await one.heard_close()

    assert ("draining", 1012) == (bye["reason"], closed[0])
    assert (503, 200, "draining", 1) == (
        ready.status,
        health.status,
        health.json["status"],
        health.json["calls"]["running"],
    )
    assert "SERVICE_UNAVAILABLE" == again["error"]["code"]
    assert "CANCELLED" == ended["error"]["code"]
    assert (0, "") == await daemon.wait()
    assert [] == _left(place)


async def test_a_finished_call_is_delivered_during_the_drain(new_place, start):
    """The drain waits for a call that ends in time, and its answer arrives before the goodbye."""
    place = new_place(EXAI_DRAIN_S="60")
    daemon = start(place)
    async with place.client() as one:
        await one.call("r1", prompt="in time", delay_ms=300)
        await one.hear_until("call_tool_ack")
        daemon.signal()
        answer = await one.hear_until("call_tool_res", request_id="r1")
        closed = await one.heard_close()

    assert "in time" == json.loads(answer["text"])["content"]
    assert 1012 == closed[0]
    assert (0, "") == await daemon.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_what_outlasts_the_drain_is_interrupted(new_place, start, number, is_running):
    """Either signal; the outcome says INTERRUPTED; pid file, simulator and temporary files are gone."""
    place = new_place(simulate=True, EXAI_DRAIN_S="0.3")
    daemon = start(place)
    offspring = daemon.offspring()
    async with place.client() as one:
        await one.call("r1", "chat", prompt="[[simulate: hang]]")
        await one.hear_until("call_tool_ack")
        daemon.signal(number)
        ended = await one.hear_until("call_tool_res", request_id="r1")

    assert "INTERRUPTED" == ended["error"]["code"]
    assert (0, "") == await daemon.wait()
    assert [] == _left(place)
    assert offspring
    assert [] == [pid for pid in offspring if is_running(pid)]


async def test_the_second_signal_cuts_at_once(new_place, start):
    """Nobody waits for a drain of an hour who asks twice."""
    place = new_place(EXAI_DRAIN_S="3600")
    daemon = start(place)
    async with place.client() as one:
        await one.call("r1", prompt="cut", delay_ms=LONG_MS)
        await one.hear_until("call_tool_ack")
        daemon.signal(signal.SIGTERM)
        await one.hear_until("bye")
        daemon.signal(signal.SIGINT)
        closed = await one.heard_close()

    assert closed[0] in {1001, 1012}
    assert (0, "") == await daemon.wait()
    assert [] == _left(place)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_signals_that_go_on_until_it_is_gone(new_place, start, number):
    """Also those that come while it closes its store and its event loop, and while the interpreter ends."""
    place = new_place()
    daemon = start(place)
    daemon.signal(signal.SIGTERM)
    while daemon.process.poll() is None:
        daemon.signal(number)
        await trio.sleep(0.0002)

    assert (0, "") == await daemon.wait()
    assert [] == _left(place)


async def test_a_killed_daemon_takes_its_simulator_along(new_place, start, until, is_running):
    """The simulator notices; the pid file that stays is no obstacle for the next daemon."""
    place = new_place(simulate=True)
    daemon = start(place)
    offspring = daemon.offspring()
    daemon.signal(signal.SIGKILL)
    await daemon.wait()
    await until(lambda: not any(map(is_running, offspring)))
    left = _left(place)
    await trio.to_thread.run_sync(start, place)
    async with place.client() as one:
        answer = await one.outcome("r1", prompt="back")

    assert offspring
    assert ["ws_daemon.pid"] == left
    assert answer["ok"]


@pytest.mark.parametrize("log", ["ws_daemon.metrics.jsonl", "toolcalls.jsonl"])
async def test_a_log_that_hangs_keeps_no_daemon_from_ending(new_place, start, log):
    """A pipe that nobody reads takes no line: the last ones are lost, the daemon ends as it should."""
    place = new_place()
    place.logs.mkdir(parents=True)
    os.mkfifo(place.logs / log)
    daemon = start(place)
    async with place.client() as one:
        answer = await one.outcome("r1", prompt="logged nowhere")
    daemon.signal()

    assert answer["ok"]
    assert (0, "") == await daemon.wait()
    assert [] == _left(place)


async def _refused(port: int) -> bool:
    try:
        stream = await trio.open_tcp_stream("127.0.0.1", port)
    except OSError:
        return True
    await stream.aclose()
    return False


def _left(place) -> list[str]:
    """What a daemon that has gone should not have left."""
    return [path.name for path in (*place.logs.glob("*.pid"), *place.temporary.iterdir())]
