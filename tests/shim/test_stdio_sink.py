"""Progress and answers on their way to a client that reads, and to one that does not."""

import json

import pytest
import trio

from exai_trio.wire.messages import CallResult, Output, Progress


async def test_progress_never_shares_a_write_with_its_answer(make_world, autojump_clock):
    """Nor comes after it; what an answer overtakes is dropped, and one that follows keeps its distance."""
    writes = []
    async with make_world(silent=True) as world:
        stream = world.lines.stream
        keep = stream.send_all

        async def noted(data):
            writes.append((trio.current_time(), bytes(data)))
            await keep(data)

        stream.send_all = noted
        for number in range(20):
            world.call(number, token=f"t{number}", key=f"k{number}")
        await world.daemon.wait_for("call_tool", 20)
        for number in range(20):
            await world.daemon.progress(f"k{number}")
            if number % 2:
                await trio.sleep(0.001 * number)
            await world.daemon.outcome(f"k{number}")
        for number in range(20):
            await world.lines.wait_answer(number)

    last_progress = -1.0
    for at, data in writes:
        messages = [json.loads(line) for line in data.splitlines()]
        kinds = {"method" in message for message in messages}
        assert len(kinds) == 1
        if kinds == {True}:
            last_progress = at
        else:
            assert at - last_progress >= 0.0099


@pytest.mark.parametrize("ends", ["answer", "cancel", "deadline"])
async def test_progress_that_waits_goes_with_its_request(make_world, autojump_clock, ends):
    """What comes in one step with its end is not said at all; that of other calls is."""
    async with make_world(silent=True) as world:
        world.call(1, key="a", token="p", client="claude-ai")
        world.call(2, key="b", token="q")
        await world.daemon.wait_for("call_tool", 2)
        await trio.sleep(58 if ends == "deadline" else 1)
        before = len(world.lines.progress())
        for key in ("a", "b"):
            world.bridge.deliver(
                Progress(request_id=key, name="chat", t="x", stage="s", message="m", elapsed_s=9.0)
            )
        if ends == "answer":
            world.bridge.deliver(CallResult(request_id="a", outputs=[Output(text="ok")]))
        elif ends == "cancel":
            world.bridge.withdraw(1)
        else:
            world.bridge.expire(trio.current_time())
        await trio.sleep(0.5)
        told = [params["progressToken"] for params in world.lines.progress()[before:]]

    assert "p" not in told
    assert "q" in told


async def test_progress_is_dropped_while_its_client_does_not_read(make_world, autojump_clock):
    """Answers are not, and what comes later is told again."""
    async with make_world(silent=True) as world:
        for id_, key in ((1, "a"), (2, "b")):
            world.call(id_, token=key, key=key)
        await world.daemon.wait_for("call_tool", 2)
        world.writer.room = 640_000
        world.writer.put(b'{"large": "' + b"x" * 20_000 + b'"}\n')
        world.relay.away("dropped", trio.current_time())
        world.bridge.deliver(CallResult(request_id="b", outputs=[Output(text="ok")]))
        await world.lines.wait_answer(2)
        await world.daemon.progress("a", 3.0)
        await world.daemon.outcome("a")
        await world.lines.wait_answer(1)
        told = world.lines.progress()

    assert ["thinking: m"] == [params["message"] for params in told]
