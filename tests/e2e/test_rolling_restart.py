"""One daemon takes the place of another: nobody is refused, no call is lost, and the home has one owner at a time."""

import pytest
import trio
from stage.said import unexpected

pytestmark = pytest.mark.real


async def test_a_successor_takes_over_with_the_calls_that_run(new_place, start, until):
    """A call that runs is answered by the next daemon; the first leaves with 0; the pid file is the successor's."""
    place = new_place(EXAI_DRAIN_S="60")
    first = start(place)
    async with place.client(protocol=2, session_id="rolling-1") as one:
        await one.call("r1", prompt="over the change", delay_ms=1500)
        await one.hear_until("call_tool_ack")
        second = await trio.to_thread.run_sync(_replaced, place)
        try:
            bye = await one.hear_until("bye")
            assert (0, "") == await first.wait()
            async with place.client(protocol=2, session_id="rolling-1", last_seq=1) as again:
                outcome = await again.hear_until("call_tool_res", request_id="r1")
            pid = int((place.logs / "ws_daemon.pid").read_text(encoding="utf-8"))
        finally:
            code, said = _ended(second)

    assert ("draining", 0) == (bye["reason"], bye["retry_after_s"])
    assert outcome["ok"]
    assert second.pid == pid
    assert (0, "") == (code, said)
    assert not (place.exai / "state" / "handover.sock").exists()


async def test_replacing_nobody_is_starting(new_place):
    """Without a daemon, and over what a killed one left behind, `--replace` starts one."""
    place = new_place()
    killed = await trio.to_thread.run_sync(_replaced, place)
    killed.kill()
    await trio.to_thread.run_sync(killed.communicate)
    left = (place.exai / "state" / "handover.sock").exists()
    second = await trio.to_thread.run_sync(_replaced, place)

    assert left
    assert (0, "") == await trio.to_thread.run_sync(_ended, second)


async def test_a_successor_waits_for_one_that_is_leaving(new_place, start):
    """A daemon that drains gives nothing to anybody: it is waited for, and one daemon serves in the end."""
    place = new_place(EXAI_DRAIN_S="20")
    first = start(place)
    async with place.client(protocol=2, session_id="leaving-1") as one:
        await one.call("r1", prompt="to its end", delay_ms=3000)
        await one.hear_until("call_tool_ack")
        first.signal()
        await one.hear_until("bye")
        second = await trio.to_thread.run_sync(_replaced, place)
        outcome = await one.hear_until("call_tool_res", request_id="r1")
        left = await first.wait()

    assert outcome["ok"]
    assert (0, "") == left
    assert (0, "") == await trio.to_thread.run_sync(_ended, second)


async def test_a_successor_for_another_port_changes_nothing(new_place, start):
    """It is refused in one line that says what to do, and the first daemon serves on."""
    place = new_place()
    start(place)
    other = new_place()
    code, out, err = await trio.to_thread.run_sync(
        lambda: place.run("serve", "--replace", EXAI_WS_PORT=str(other.port))
    )
    async with place.client() as one:
        answer = await one.outcome("r1", prompt="still here")

    assert (1, "", 1) == (code, out, err.count("\n"))
    assert str(place.port) in err
    assert answer["ok"]


def _replaced(place):
    process = place.start("serve", "--replace")
    line = process.stdout.readline()
    assert b"exai serves" in line, process.communicate()
    return process


def _ended(process):
    process.terminate()
    _, said = process.communicate(timeout=20)
    return process.returncode, unexpected(said)
