"""Calls across one connection, many connections and none."""

import json

import pytest
import trio
from mcp_types import methods

from exai_trio.mcp import resources
from exai_trio.mcp.calls.bridge import MAX_OPEN
from exai_trio.mcp.params import read_wish
from exai_trio.mcp.versions import HANDSHAKE_VERSIONS, STATELESS_VERSIONS, Dialect
from exai_trio.shim.calls.relay import MAX_RUNS, MAX_SENDS
from exai_trio.wire.handles import handle_of


async def test_a_call_gets_its_answer(make_world, autojump_clock):
    """Name, arguments and session go to the daemon; text and structure come back; the answer is acknowledged."""
    async with make_world() as world:
        world.call(1, arguments=b'{"prompt": "x"}')
        frame = await world.daemon.wait_for("call_tool")
        answer = await world.lines.wait_answer(1)
        await world.daemon.wait_for("list_tools")
        world.daemon.silent = True
        world.call(2)
        key = (await world.daemon.wait_for("call_tool", 2))["request_id"]
        await world.daemon.outcome(key, '{"status": "success"}', metadata={"latency_metrics": {}})
        structured = await world.lines.wait_answer(2)
        ack = await world.daemon.wait_for("ack")

    assert (frame["name"], frame["arguments"]) == ("chat", {"prompt": "x"})
    assert answer["result"]["content"] == [{"type": "text", "text": "ok"}]
    assert structured["result"]["structuredContent"] == {"status": "success"}
    assert ack["seq"] >= 1
    hello = world.daemon.heard[0]
    assert (hello["protocol"], hello["roots"]) == (2, ["/work"])


async def test_calls_run_side_by_side(make_world, autojump_clock):
    """Answers come in the daemon's order, not in ours."""
    async with make_world(silent=True) as world:
        for id_ in (1, 2):
            world.call(id_)
        first = (await world.daemon.wait_for("call_tool", 1))["request_id"]
        second = (await world.daemon.wait_for("call_tool", 2))["request_id"]
        await world.daemon.outcome(second)
        await world.lines.wait_answer(2)
        await world.daemon.outcome(first)
        await world.lines.wait_answer(1)

    assert first != second


async def test_a_lost_connection_costs_one_replay(make_world, autojump_clock):
    """A call without an answer is sent again under its own id, once for each new connection, and answered once."""
    async with make_world(silent=True) as world:
        world.call(1, key="toolu_1")
        await world.daemon.wait_for("call_tool")
        await world.daemon.hang_up()
        again = await world.daemon.wait_for("call_tool", 2)
        await world.daemon.outcome("toolu_1")
        await world.daemon.outcome("toolu_1")
        await world.lines.wait_answer(1)
        await trio.sleep(5)

    assert again["request_id"] == "toolu_1"
    assert len(world.daemon.ops("call_tool")) == 2


async def test_a_resumed_session_keeps_what_it_accepted(make_world, autojump_clock):
    """After a resume an accepted call is not sent again, and a frame that came before is dropped."""
    async with make_world(silent=True) as world:
        world.call(1, key="a")
        await world.daemon.wait_for("call_tool")
        await world.daemon.accept("a")
        await world.daemon.wait_for("ack")
        world.daemon.resumed = True
        await world.daemon.hang_up()
        hello = await world.daemon.wait_for("hello", 2)
        await world.daemon.wait_for("list_tools", 2)
        world.daemon.seq = 0  # the old frame again: its number is known
        await world.daemon.outcome("a", "a repetition")
        await world.daemon.outcome("a", "the outcome")
        answer = await world.lines.wait_answer(1)

    assert hello["last_seq"] == 1
    assert hello["session_id"] == world.daemon.heard[0]["session_id"]
    assert len(world.daemon.ops("call_tool")) == 1
    assert answer["result"]["content"][0]["text"] == "the outcome"


async def test_a_call_that_ends_daemons_is_given_up(make_world, autojump_clock):
    """A call is not replayed for ever."""
    async with make_world(silent=True) as world:
        world.call(1)
        for count in range(1, MAX_SENDS + 1):
            await world.daemon.wait_for("call_tool", count)
            await world.daemon.hang_up()
        answer = await world.lines.wait_answer(1)

    assert "INTERRUPTED" in answer["result"]["content"][0]["text"]
    assert not answer["result"]["_meta"]["exai/error"]["retryable"]


async def test_an_accepted_call_outlives_any_number_of_connections(make_world, autojump_clock):
    """Only sending counts: what a resumed session keeps is waited for, however often the connection is lost."""
    async with make_world(silent=True, resumed=True) as world:
        world.call(1, key="a")
        for visit in range(1, 2 * MAX_SENDS):
            await world.daemon.wait_for("list_tools", visit)
            if visit <= MAX_SENDS:
                await world.daemon.wait_for("call_tool", visit)
            if visit == MAX_SENDS:
                await world.daemon.accept("a")
                await world.daemon.wait_for("ack")
            await world.daemon.hang_up()
        await world.daemon.wait_for("list_tools", 2 * MAX_SENDS)
        await world.daemon.outcome("a", "the outcome")
        answer = await world.lines.wait_answer(1)

    assert len(world.daemon.ops("call_tool")) == MAX_SENDS
    assert answer["result"]["content"][0]["text"] == "the outcome"


@pytest.mark.parametrize("id_", [1, "x" * 600])
async def test_an_id_used_again_is_a_new_call(make_world, until, autojump_clock, id_):
    """An id is free again after its answer: the daemon gets another key, so that no old outcome is the answer."""
    async with make_world() as world:
        for count in (1, 2):
            world.call(id_)
            await world.daemon.wait_for("call_tool", count)
            await until(lambda wanted=count: len(world.lines.said()) == wanted)

    first, second = (frame["request_id"] for frame in world.daemon.ops("call_tool"))
    assert first != second


async def test_progress_rises_and_ends_with_the_answer(make_world, autojump_clock):
    """Progress goes to open requests with a token only, with rising values, never after the answer."""
    async with make_world(silent=True) as world:
        world.call(1, token="p", key="a")
        world.call(2, key="b")
        await world.daemon.wait_for("call_tool", 2)
        for elapsed in (1.0, 1.0, 0.5, 3.0):
            await world.daemon.progress("a", elapsed)
        await world.daemon.progress("b")
        await world.daemon.outcome("a")
        await world.lines.wait_answer(1)
        await world.daemon.progress("a", 9.0)
        await trio.sleep(1)
        told = world.lines.progress()

    for version in (*HANDSHAKE_VERSIONS, *STATELESS_VERSIONS):
        methods.parse_server_notification("notifications/progress", version, told[0])
    values = [params["progress"] for params in told]
    assert values == sorted(set(values))
    assert [params["progressToken"] for params in told] == ["p"] * 4
    assert world.lines.said()[-1]["id"] == 1


async def test_a_cancel_reaches_the_daemon_and_ends_the_request(make_world, autojump_clock):
    """The right call is cancelled, its request is never answered; unknown and finished ids do nothing."""
    async with make_world(silent=True) as world:
        world.call(1, key="a", token="p")
        world.call(2, key="b")
        await world.daemon.wait_for("call_tool", 2)
        world.bridge.withdraw(1)
        world.bridge.withdraw(77)
        cancel = await world.daemon.wait_for("cancel")
        await world.daemon.progress("a")
        await world.daemon.fail("a", "CANCELLED")
        await world.daemon.outcome("b")
        await world.lines.wait_answer(2)
        world.bridge.withdraw(2)
        await trio.sleep(1)

    assert cancel["request_id"] == "a"
    assert len(world.daemon.ops("cancel")) == 1
    assert [message.get("id") for message in world.lines.said()] == [2]


async def test_a_call_cancelled_before_it_was_sent_is_never_sent(make_world, autojump_clock):
    """Nothing of a withdrawn call reaches a daemon that comes later."""
    async with make_world(up=False) as world:
        world.call(1)
        await trio.sleep(1)
        world.bridge.withdraw(1)
        world.daemon.up = True
        await world.daemon.wait_for("list_tools")
        await trio.sleep(1)

    assert world.daemon.ops("call_tool") + world.daemon.ops("cancel") == []


async def test_a_cancel_survives_a_lost_connection(make_world, autojump_clock):
    """A call that was cancelled while the connection was away is cancelled in the session that resumes."""
    async with make_world(silent=True, resumed=True) as world:
        world.call(1, key="a")
        await world.daemon.wait_for("call_tool")
        world.daemon.up = False
        await world.daemon.hang_up()
        await trio.sleep(1)
        world.bridge.withdraw(1)
        world.daemon.up = True
        cancel = await world.daemon.wait_for("cancel")

    assert cancel["request_id"] == "a"


async def test_the_same_call_sent_twice_runs_once(make_world, autojump_clock):
    """Two requests with the client's own key share one call; each gets its answer; one may leave alone."""
    async with make_world(silent=True) as world:
        for id_ in (1, 2, 3):
            world.call(id_, key="toolu")
        world.call(4, key="toolu", arguments=b'{"other": 1}')
        await world.daemon.wait_for("call_tool", 2)
        world.bridge.withdraw(2)
        await world.daemon.outcome("toolu")
        await world.lines.wait_answer(1)
        await world.lines.wait_answer(3)

    keys = [frame["request_id"] for frame in world.daemon.ops("call_tool")]
    assert (keys[0], keys[1] != "toolu", len(keys)) == ("toolu", True, 2)
    assert world.lines.answer(2) is None
    assert world.daemon.ops("cancel") == []


async def test_an_id_in_use_is_refused(make_world, until, autojump_clock):
    """The same JSON-RPC id for two open requests is a protocol fault."""
    async with make_world(silent=True) as world:
        world.call(1)
        world.call(1)
        await until(world.lines.said)

    assert [message["error"]["code"] for message in world.lines.said()] == [-32600]


async def test_too_many_calls_are_refused_and_none_that_was_taken_is_lost(
    make_world, autojump_clock
):
    """10,000 requests at once: the table's worth are answered, the rest refused, and the daemon's window is kept."""
    async with make_world(up=False, limits={"session_max_inflight": 8}) as world:
        for id_ in range(10_000):
            world.call(id_)
        world.daemon.up = True
        with trio.fail_after(100):
            await world.bridge.wait_idle()
        await trio.sleep(1)
        said = world.lines.said()

    done = [m["id"] for m in said if not m["result"]["isError"]]
    refused = [m for m in said if m["result"]["isError"]]
    assert (done, len(refused)) == (list(range(MAX_OPEN)), 10_000 - MAX_OPEN)
    assert refused[0]["result"]["_meta"]["exai/error"]["code"] == "OVER_CAPACITY"
    assert "did not run" in refused[0]["result"]["content"][0]["text"]


async def test_the_daemons_window_is_kept(make_world, autojump_clock):
    """No more calls are at the daemon than it takes of one session; a cancelled one counts until it has ended."""
    async with make_world(silent=True, limits={"session_max_inflight": 2}) as world:
        for id_ in (1, 2, 3, 4):
            world.call(id_, key=f"k{id_}")
        await world.daemon.wait_for("call_tool", 2)
        world.bridge.withdraw(1)
        await trio.sleep(1)
        before = len(world.daemon.ops("call_tool"))
        await world.daemon.fail("k1", "CANCELLED")
        await world.daemon.wait_for("call_tool", 3)
        await trio.sleep(1)

    assert before == 2
    assert len(world.daemon.ops("call_tool")) == 3


async def test_changed_roots_travel_with_each_call(make_world, autojump_clock):
    """Roots that changed since the hello are carried on each call."""
    async with make_world() as world:
        await world.daemon.wait_for("list_tools")
        world.call(1)
        world.relay.roots = ("/other",)
        world.call(2)
        await world.lines.wait_answer(2)
        world.relay.roots = ("/work",)
        world.call(3)
        await world.lines.wait_answer(3)

    assert [frame.get("roots") for frame in world.daemon.ops("call_tool")] == [
        ["/other"],
        ["/other"],
        None,
    ]


async def test_a_failure_says_whether_it_ran_and_what_to_do(make_world, autojump_clock):
    """A failed call is a result with isError, a short text and the details for programs."""
    async with make_world(silent=True) as world:
        world.call(1, key="a")
        await world.daemon.wait_for("call_tool")
        await world.daemon.fail("a", "OVER_CAPACITY", retryable=True, retry_after_s=3)
        result = (await world.lines.wait_answer(1))["result"]

    assert result["isError"]
    assert result["content"][0]["text"] == (
        "chat failed (OVER_CAPACITY): it broke. The call did not run. Try again in 3 s."
    )
    assert result["_meta"]["exai/error"]["retry_after_s"] == 3


async def test_a_large_answer_goes_by_reference(make_world, autojump_clock):
    """Over 8 MiB the whole text is in a private file, and the answer has its path, its beginning, and its shape."""
    text = json.dumps({"status": "success", "content": "y" * 9_000_000, "metadata": {}})
    async with make_world(silent=True) as world:
        await world.daemon.wait_for("list_tools")
        world.call(1, key="a")
        await world.daemon.wait_for("call_tool")
        await world.daemon.outcome("a", text)
        result = (await world.lines.wait_answer(1))["result"]

    path = result["structuredContent"]["metadata"]["full_answer"]
    (file,) = (world.config.home / "files").iterdir()
    assert str(file) == path
    assert file.read_text() == text
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(json.dumps(result)) < 20_000


async def test_arguments_that_no_frame_holds_are_refused(make_world, autojump_clock):
    """A call too large for one frame would end every connection: it is refused at once."""
    async with make_world() as world:
        world.call(1, arguments=b'{"prompt": "' + b"x" * 33_600_000 + b'"}')
        answer = await world.lines.wait_answer(1)

    assert "OVER_CAPACITY" in answer["result"]["content"][0]["text"]
    assert world.daemon.ops("call_tool") == []


async def test_a_view_is_answered_by_the_daemon(make_world, autojump_clock):
    """What its tool tells becomes the result of the method, or an error of it."""
    async with make_world(silent=True) as world:
        for number in (1, 2):
            wish = read_wish(b'{"uri":"exai://threads/x"}')
            call = resources.asked("resources/read", number, wish, Dialect("2025-11-25"))
            world.bridge.start(call, trio.current_time())
            frame = await world.daemon.wait_for("call_tool", number)
            if number == 1:
                text = json.dumps({"continuation_id": "x", "content": "# all of it"})
                await world.daemon.outcome(frame["request_id"], text)
            else:
                await world.daemon.fail(frame["request_id"], "NOT_FOUND")
        found, gone = [await world.lines.wait_answer(number) for number in (1, 2)]

    assert frame["name"] == "threads"
    assert found["result"]["contents"][0]["text"] == "# all of it"
    assert gone["error"]["code"] == -32002


async def test_what_is_given_up_is_cancelled(make_world, autojump_clock):
    """A call that no daemon has taken in its client's time."""
    async with make_world(silent=True) as world:
        world.call(1, key="a")
        await world.daemon.wait_for("call_tool")
        await trio.sleep(48)
        world.bridge.expire(trio.current_time())
        answer = await world.lines.wait_answer(1)
        cancel = await world.daemon.wait_for("cancel")

    assert "TIMEOUT" == answer["result"]["_meta"]["exai/error"]["code"]
    assert "a" == cancel["request_id"]


async def test_the_request_that_had_the_id_first_is_answered(make_world, until, autojump_clock):
    """The second is not taken at all: it is not sent, and one outcome gives one answer."""
    async with make_world(silent=True) as world:
        world.call(1, key="first")
        world.call(1, key="second")
        await until(world.lines.said)
        await world.daemon.wait_for("call_tool")
        await trio.sleep(1)
        await world.daemon.outcome("first")
        await until(lambda: len(world.bridge.calls) == 0)

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
            world.relay.break_silence()
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

    assert 0 == len(world.bridge.calls)


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


@pytest.mark.parametrize(
    ("said", "sent"), [({"repeatable": False}, 1), ({"repeatable": None}, 1), ({}, MAX_RUNS)]
)
async def test_what_may_not_run_twice_is_not_sent_to_another_daemon(
    make_world, autojump_clock, said, sent
):
    """A daemon that forgets what it has accepted, as one without a journal does, costs one run; a call that is repeatable is
    run once more."""
    async with make_world(silent=True) as world:
        world.call(1, key="a")
        for visit in range(1, sent + 1):
            await world.daemon.wait_for("call_tool", visit)
            await world.daemon.accept("a", **said)
            await world.daemon.hang_up()
        answer = await world.lines.wait_answer(1)
        await world.daemon.wait_for("list_tools", sent + 1)
        await trio.sleep(5)

    assert sent == len(world.daemon.ops("call_tool"))
    text = answer["result"]["content"][0]["text"]
    assert "INTERRUPTED" in text
    assert "forgotten it" in text
    assert "may have run" in text
    assert 0 == len(world.bridge.calls)


async def test_what_was_accepted_is_answered_with_its_handle_when_another_takes_the_session(
    make_world, autojump_clock
):
    """It goes on where it runs: our next session sends only what was not accepted."""
    async with make_world(silent=True) as world:
        world.call(1, key="a")
        world.call(2, key="b")
        await world.daemon.wait_for("call_tool", 2)
        await world.daemon.accept("a")
        await world.daemon.wait_for("ack")
        await world.daemon.send({"op": "bye", "reason": "superseded", "retry_after_s": 0})
        handle = json.loads((await world.lines.wait_answer(1))["result"]["content"][0]["text"])
        await world.daemon.wait_for("call_tool", 3)
        await world.daemon.outcome("b")
        await world.lines.wait_answer(2)

    (first, _) = world.daemon.ops("hello")
    assert ["a", "b", "b"] == [frame["request_id"] for frame in world.daemon.ops("call_tool")]
    assert handle_of(first["session_id"], "a") == handle["call_id"]
    assert "another process" in handle["progress"]
    assert [] == world.daemon.ops("cancel")
