"""What becomes of open calls: room for them, answers in place of outcomes, and a client that does not read."""

import pytest
import trio

from exai_trio.mcp import resources
from exai_trio.mcp.params import read_wish
from exai_trio.mcp.versions import Dialect
from exai_trio.shim.bridge import MAX_OPEN
from exai_trio.wire.messages import CallResult, Output


async def test_the_request_that_had_the_id_first_is_answered(make_world, until, autojump_clock):
    """The second is not taken at all: it is not sent, and one outcome gives one answer."""
    async with make_world(silent=True) as world:
        world.call(1, key="first")
        world.call(1, key="second")
        await until(world.lines.said)
        await world.daemon.wait_for("call_tool")
        await trio.sleep(1)
        await world.daemon.outcome("first")
        await until(lambda: world.bridge.waiting == 0)

    assert ["first"] == [frame["request_id"] for frame in world.daemon.ops("call_tool")]


@pytest.mark.parametrize("losses", [0, 1])
async def test_a_refusal_says_what_an_earlier_daemon_may_have_done(
    make_world, autojump_clock, losses
):
    """It is of the last attempt alone: who is to decide whether to try again must know that there was another."""
    async with make_world(silent=True) as world:
        world.call(1)
        for visit in range(1, losses + 1):
            await world.daemon.wait_for("call_tool", visit)
            await world.daemon.hang_up()
        frame = await world.daemon.wait_for("call_tool", losses + 1)
        await world.daemon.fail(frame["request_id"], "TOOL_NOT_FOUND")
        text = (await world.lines.wait_answer(1))["result"]["content"][0]["text"]

    assert ("may have run" in text, "did not run" in text) == (losses > 0, losses == 0)


async def test_a_lost_call_takes_no_place_for_ever(make_world, autojump_clock):
    """Its editor has given it up, and the daemon never had it: the next calls are sent all the same."""
    async with make_world(silent=True, resumed=True, limits={"session_max_inflight": 1}) as world:
        world.call(1, client="claude-ai")
        frame = await world.daemon.wait_for("call_tool")
        await trio.sleep(58)
        world.bridge.expire(trio.current_time())
        await world.lines.wait_answer(1)
        await world.daemon.hang_up()
        await world.daemon.wait_for("cancel", 2)
        await world.daemon.fail(frame["request_id"], "NOT_FOUND")
        world.call(2)
        await world.daemon.wait_for("call_tool", 2)


async def test_who_hears_nothing_for_long_is_told_so(make_world, autojump_clock):
    """The connection may be half open, or the daemon stopped: nobody knows yet, and it is said all the same."""
    async with make_world(silent=True) as world:
        world.call(1, token="t")
        frame = await world.daemon.wait_for("call_tool")
        for second in range(1, 17):
            if second == 8:
                await world.daemon.progress(frame["request_id"])
            await trio.sleep(1)
            world.bridge.break_silence()
        told = [params["message"] for params in world.lines.progress()]

    assert ["no news from the daemon", "thinking: m", "no news from the daemon"] == told


@pytest.mark.parametrize("end", ["outcome", "failure"])
async def test_the_end_of_a_call_makes_room_for_the_next_at_once(make_world, autojump_clock, end):
    """It does not wait for the next acknowledgement or request."""
    async with make_world(silent=True, limits={"session_max_inflight": 1}) as world:
        world.call(1, key="a")
        world.call(2, key="b")
        await world.daemon.wait_for("call_tool")
        await trio.sleep(1)
        begin = trio.current_time()
        if end == "outcome":
            await world.daemon.outcome("a")
        else:
            await world.daemon.fail("a", "INTERNAL")
        await world.daemon.wait_for("call_tool", 2)
        took = trio.current_time() - begin

    assert took < 0.01


async def test_the_arguments_of_all_open_calls_are_bounded(make_world, autojump_clock):
    """What is too much is refused at once; it fits when another has ended."""
    arguments = b'{"prompt": "' + b"x" * 30 * 2**20 + b'"}'
    async with make_world(up=False) as world:
        for id_ in (1, 2, 3):
            world.call(id_, arguments=arguments)
        refused = await world.lines.wait_answer(3)
        world.bridge.withdraw(1)
        world.call(4, arguments=arguments)
        await trio.sleep(1)

    assert "OVER_CAPACITY" in refused["result"]["content"][0]["text"]
    assert [3] == [message["id"] for message in world.lines.said()]


async def test_a_failure_of_ours_says_whether_another_attempt_is_of_use(make_world, autojump_clock):
    """Waiting helps against a full table and a late answer; not against too much text."""
    async with make_world(up=False) as world:
        world.bridge.max_frame = 70_000
        world.call("large", arguments=b'{"prompt": "' + b"x" * 5_000 + b'"}')
        for id_ in range(MAX_OPEN):
            world.call(id_)
        world.call("one more")
        large = await world.lines.wait_answer("large")
        more = await world.lines.wait_answer("one more")
        world.bridge.give_up_all("the shim ends")
        late = await world.lines.wait_answer(0)

    faults = [answer["result"]["_meta"]["exai/error"] for answer in (large, more, late)]
    assert [("OVER_CAPACITY", False), ("OVER_CAPACITY", True), ("TIMEOUT", True)] == [
        (fault["code"], fault["retryable"]) for fault in faults
    ]


async def test_a_refusal_of_all_says_what_an_earlier_daemon_may_have_done(
    make_world, autojump_clock
):
    """A call that went to one may have run; one that did not is known not to have."""
    async with make_world(silent=True, limits={"session_max_inflight": 1}) as world:
        world.call(1)
        world.call(2)
        await world.daemon.wait_for("call_tool")
        world.daemon.hello_error = "unauthorized"
        await world.daemon.hang_up()
        sent = (await world.lines.wait_answer(1))["result"]
        unsent = (await world.lines.wait_answer(2))["result"]

    assert "may have run" in sent["content"][0]["text"]
    assert "did not run" in unsent["content"][0]["text"]
    assert not sent["_meta"]["exai/error"]["retryable"]


@pytest.mark.parametrize("end", ["outcome", "failure", "cancel", "deadline", "handle", "drain"])
async def test_whoever_waits_for_the_last_call_is_told_when_it_is_gone(
    make_world, autojump_clock, end
):
    """However it has ended: the shim leaves then."""
    async with make_world(silent=True) as world:
        world.call(1, key="a")
        await world.daemon.wait_for("call_tool")
        with trio.fail_after(10):
            async with trio.open_nursery() as waiting:
                waiting.start_soon(world.bridge.wait_idle)
                await trio.testing.wait_all_tasks_blocked()
                match end:
                    case "outcome":
                        await world.daemon.outcome("a")
                    case "failure":
                        await world.daemon.fail("a", "INTERNAL_ERROR")
                    case "cancel":
                        world.bridge.withdraw(1)
                    case "deadline":
                        world.bridge.expire(trio.current_time() + 10_000)
                    case "handle":
                        await world.daemon.accept("a")
                        await world.daemon.wait_for("ack")
                        world.bridge.expire(trio.current_time() + 10_000)
                    case "drain":
                        world.bridge.give_up_all("the shim ends")

    assert 0 == world.bridge.waiting


async def test_progress_is_dropped_while_its_client_does_not_read(make_world, autojump_clock):
    """Answers are not, and what comes later is told again."""
    async with make_world(silent=True) as world:
        for id_, key in ((1, "a"), (2, "b")):
            world.call(id_, token=key, key=key)
        await world.daemon.wait_for("call_tool", 2)
        world.bridge.lines.room = 640_000
        world.bridge.lines.put(b'{"large": "' + b"x" * 20_000 + b'"}\n')
        world.bridge.away("dropped", trio.current_time())
        world.bridge.deliver(CallResult(request_id="b", outputs=[Output(text="ok")]))
        await world.lines.wait_answer(2)
        await world.daemon.progress("a", 3.0)
        await world.daemon.outcome("a")
        await world.lines.wait_answer(1)
        told = world.lines.progress()

    assert ["thinking: m"] == [params["message"] for params in told]


async def test_the_daemon_is_not_read_while_the_client_does_not_read(make_world, autojump_clock):
    """What it sends waits in its own outbox until there is room for answers here."""
    reads = trio.Event()
    async with make_world(silent=True) as world:
        world.call(1, key="a")
        world.call(2, key="b")
        await world.daemon.wait_for("call_tool", 2)
        world.lines.stream.send_all_hook = reads.wait
        world.bridge.lines.room = 0
        for key in ("a", "b"):
            await world.daemon.outcome(key)
        await trio.sleep(1)
        waiting = world.bridge.waiting
        reads.set()
        await world.lines.wait_answer(2)

    assert 1 == waiting


async def test_a_view_is_never_answered_with_a_handle(make_world, autojump_clock):
    """Its editor asked for a text: a daemon that has taken it and says nothing more is as good as none."""
    async with make_world(silent=True) as world:
        wish = read_wish(b'{"uri":"exai://threads/x"}')
        call = resources.asked("resources/read", 1, wish, Dialect("2025-11-25"))
        world.bridge.start(call, trio.current_time())
        key = (await world.daemon.wait_for("call_tool"))["request_id"]
        await world.daemon.accept(key, "threads")
        await world.daemon.wait_for("ack")
        world.bridge.expire(trio.current_time() + 4)
        answer = await world.lines.wait_answer(1)

    assert answer["error"]["code"] == 1002
