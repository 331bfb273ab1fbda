"""Calls across one connection, many connections and none."""

import json

import attrs
import pytest
import trio
from mcp_types import methods

from exai_trio.daemon.connections.auth import Tokens
from exai_trio.mcp import resources
from exai_trio.mcp.params import read_wish
from exai_trio.mcp.tool_list import from_file
from exai_trio.mcp.versions import HANDSHAKE_VERSIONS, STATELESS_VERSIONS, Dialect
from exai_trio.shim.bridge import MAX_OPEN, MAX_SENDS
from exai_trio.transport.websocket import NotListening
from exai_trio.wire.handles import handle_of

SECRET = "a secret that is long enough for its algorithm"
more_tools = {"inputSchema": {"type": "object"}}
TOOLS = [
    {"name": "chat", "outputSchema": {"type": "object"}, **more_tools},
    {"name": "plain", **more_tools},
]


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


@pytest.mark.parametrize(
    ("client", "tool", "seconds"),
    [
        ("claude-ai", "debug", 57),
        ("claude-code", "chat", 60),
        ("codex-mcp-client", "chat_EXAI-WS", 60),
        ("claude-code", "debug", 300),
        ("claude-code", "consensus-EXAI-WS", 300),
    ],
)
async def test_a_call_without_a_daemon_ends_at_its_deadline(
    make_world, autojump_clock, client, tool, seconds
):
    """Its client's, or its own if that is earlier; the answer says that it did not run, and how to mend that."""
    async with make_world(up=False, unreachable=NotListening) as world:
        world.call(1, name=tool, client=client)
        await trio.sleep(seconds - 1)
        world.bridge.expire(trio.current_time())
        await trio.sleep(0.5)
        early = world.lines.answer(1)
        await trio.sleep(1)
        world.bridge.expire(trio.current_time())
        answer = await world.lines.wait_answer(1)

    assert early is None
    assert answer["result"]["isError"]
    assert "did not run" in answer["result"]["content"][0]["text"]
    assert answer["result"]["_meta"]["exai/error"]["code"] == "SERVICE_UNAVAILABLE"
    assert "`exai serve`" in answer["result"]["content"][0]["text"]


async def test_a_patient_client_waits_as_long_as_the_daemon_lets_a_call_run(
    make_world, autojump_clock
):
    """Twice, since it may be run again; also for a call that was made before the daemon had said so."""
    async with make_world(silent=True) as world:
        world.daemon.limits = {"call_timeout_s": 2000.0}
        world.call(1, client="claude-code")
        await world.daemon.wait_for("call_tool")
        await trio.sleep(4050)
        world.bridge.expire(trio.current_time())
        await trio.sleep(1)
        early = world.lines.answer(1)
        await trio.sleep(20)
        world.bridge.expire(trio.current_time())
        await world.lines.wait_answer(1)

    assert early is None


async def test_the_daemon_learns_the_budget_and_an_accepted_call_goes_on(
    make_world, autojump_clock
):
    """The daemon is to give a handle at the budget less two margins; if it is silent then, the shim gives the same one."""
    async with make_world(silent=True) as world:
        world.call(1, client="claude-ai", key="a")
        frame = await world.daemon.wait_for("call_tool")
        await world.daemon.accept("a")
        await trio.sleep(58)
        world.bridge.expire(trio.current_time())
        answer = await world.lines.wait_answer(1)
        await world.daemon.outcome("a")
        await trio.sleep(1)

    handle = json.loads(answer["result"]["content"][0]["text"])
    (hello,) = world.daemon.ops("hello")
    assert (frame["handle_after_s"], frame["timeout_s"]) == (54, None)
    assert not answer["result"]["isError"]
    assert (handle["status"], handle["tool"], handle["elapsed_s"]) == ("running", "chat", 58.0)
    assert handle["call_id"] == handle_of(hello["session_id"], "a")
    assert answer["result"]["structuredContent"] == handle
    assert world.daemon.ops("cancel") == []


async def test_a_wrong_token_is_said_and_tried_again(make_world, autojump_clock):
    """While the daemon refuses us calls are answered at once, naming the setting; the loop goes on."""
    async with make_world(hello_error="unauthorized") as world:
        world.call(1)
        answer = await world.lines.wait_answer(1, 5)
        world.daemon.hello_error = None
        world.call(2)
        await world.lines.wait_answer(2, 5)

    text = answer["result"]["content"][0]["text"]
    assert "EXAI_WS_TOKEN" in text
    assert "UNAUTHORIZED" in text


@pytest.mark.parametrize(("token", "signs"), [("", True), ("a shared token", False)])
async def test_a_shim_with_the_daemons_secret_signs_for_itself(
    make_world, config, autojump_clock, token, signs
):
    """Where there is no shared token the daemon gets a JWT that it can check, and it is the same person every time."""
    settings = attrs.evolve(
        config, ws_token=token, jwt_secret_key=SECRET, jwt_issuer="us", jwt_audience="exai"
    )
    async with make_world(settings) as world:
        await world.daemon.wait_for("list_tools")
        await world.daemon.hang_up()
        hellos = [await world.daemon.wait_for("hello", visit) for visit in (1, 2)]

    doors = Tokens(attrs.evolve(settings, ws_token="another" if signs else token))
    expected = "jwt:exai" if signs else "token"
    assert [doors.principal(hello.get("token"), hello.get("jwt")) for hello in hellos] == [
        expected
    ] * 2
    assert [bool(hello["jwt"]) for hello in hellos] == [signs] * 2


async def test_a_superseded_session_is_left_to_the_other(make_world, autojump_clock):
    """bye superseded: a fresh session id, and what waits is sent again."""
    async with make_world(silent=True) as world:
        world.call(1)
        await world.daemon.wait_for("call_tool")
        await world.daemon.send({"op": "bye", "reason": "superseded", "retry_after_s": 0})
        await world.daemon.wait_for("call_tool", 2)
        first, second = (hello["session_id"] for hello in world.daemon.ops("hello"))

    assert first != second


async def test_a_draining_daemon_is_given_its_time(make_world, autojump_clock):
    """bye draining: the next attempt comes after retry_after_s, and the call is not lost."""
    async with make_world(silent=True) as world:
        world.call(1)
        await world.daemon.wait_for("call_tool")
        start = trio.current_time()
        await world.daemon.send({"op": "bye", "reason": "draining", "retry_after_s": 7})
        await world.daemon.wait_for("call_tool", 2)

    assert trio.current_time() - start >= 7


async def test_a_silent_daemon_is_left(make_world, autojump_clock):
    """A daemon that does not answer the hello in time is tried again."""
    async with make_world(mute_visits=2) as world:
        world.call(1)
        await world.lines.wait_answer(1)

    assert world.daemon.visits == 3


async def test_nonsense_from_the_daemon_is_survived(make_world, autojump_clock):
    """Frames that are no messages are skipped; the connection goes on."""
    async with make_world(silent=True) as world:
        await world.daemon.wait_for("list_tools")
        for frame in ("[]", "{", '{"op": "x"}', '{"op": "call_tool_res"}', '{"op": []}'):
            await world.daemon.socket.send(frame)
        world.call(1, key="a")
        await world.daemon.wait_for("call_tool")
        await world.daemon.outcome("a")
        await world.lines.wait_answer(1)

    assert world.daemon.visits == 1


async def test_the_tool_list_is_taken_kept_and_taken_again(make_world, until):
    """The daemon's list becomes ours and is kept on disk; tools_changed asks for it again; an empty one is ignored."""
    more = {"name": "more", "inputSchema": {"type": "object"}}
    async with make_world(tools=[*TOOLS, more]) as world:
        kept = world.config.state / "tools.json"
        await until(kept.exists, 5)
        first = world.desk.listing
        world.daemon.tools = []
        await world.daemon.send({"op": "tools_changed"}, numbered=True)
        await world.daemon.wait_for("list_tools", 2)
        world.daemon.tools = [more]
        await world.daemon.send({"op": "tools_changed"}, numbered=True)
        await world.daemon.wait_for("list_tools", 3)
        await until(lambda: from_file(kept.read_bytes()).hash != first.hash, 5)

    assert [tool["name"] for tool in json.loads(bytes(first.tools))] == ["chat", "plain", "more"]
    assert json.loads(bytes(world.desk.listing.tools)) == [more]
    assert kept.stat().st_mode & 0o777 == 0o600


async def test_changed_roots_travel_with_each_call(make_world, autojump_clock):
    """Roots that changed since the hello are carried on each call."""
    async with make_world() as world:
        await world.daemon.wait_for("list_tools")
        world.call(1)
        world.bridge.roots = ("/other",)
        world.call(2)
        await world.lines.wait_answer(2)
        world.bridge.roots = ("/work",)
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


async def test_nothing_is_left_wherever_the_link_is_cancelled(
    make_world, cancel_at_every_step, autojump_clock
):
    """Cancelled at any step, the link ends at once; no call is answered twice."""
    worlds = []

    async def scenario():
        async with make_world() as world:
            worlds.append(world)
            world.call(1)
            world.call(2, key="x", token="t")
            await world.daemon.wait_for("call_tool", 2)
            world.bridge.withdraw(1)
            await world.daemon.hang_up()
            await world.daemon.wait_for("hello", 2)
            await world.lines.wait_answer(2)

    def invariant():
        if worlds:
            world = worlds.pop()
            ids = [message["id"] for message in world.lines.said() if "id" in message]
            assert len(ids) == len(set(ids))
            assert not list(world.config.state.glob("tools.json.*"))

    steps = await cancel_at_every_step(scenario, invariant)

    assert steps > 20


@pytest.mark.parametrize("method", ["resources/list", "resources/read", "completion/complete"])
@pytest.mark.parametrize("version", [HANDSHAKE_VERSIONS[0], STATELESS_VERSIONS[0]])
async def test_a_view_does_not_wait_for_a_daemon_that_is_away(
    make_world, autojump_clock, method, version
):
    """Editors ask when they start: after 3 s lists are empty, and what cannot be read is an error."""
    async with make_world(up=False) as world:
        wish = read_wish(
            b'{"uri":"exai://threads/x","ref":{"type":"r"},"argument":{"name":"model","value":""}}'
        )
        world.bridge.start(resources.asked(method, 1, wish, Dialect(version)), trio.current_time())
        await trio.sleep(4)
        world.bridge.expire(trio.current_time())
        answer = await world.lines.wait_answer(1)

    if method == "resources/read":
        assert answer["error"]["code"] == 1002
    else:
        methods.validate_server_result(method, version, answer["result"])


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
