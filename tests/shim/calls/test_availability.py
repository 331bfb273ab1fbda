"""How long a call is waited for with a daemon and without one, and what it is told then."""

import json

import attrs
import pytest
import trio
from mcp_types import methods

from exai_trio.mcp import resources
from exai_trio.mcp.params import read_wish
from exai_trio.mcp.versions import HANDSHAKE_VERSIONS, STATELESS_VERSIONS, Dialect
from exai_trio.transport.websocket import NotListening
from exai_trio.wire.handles import handle_of


def text_of(answer):
    return answer["result"]["content"][0]["text"]


@attrs.define
class Ended:
    """A starter whose daemon ended."""

    last_words: str = ""
    served: int = 0

    async def ensure(self):
        return False

    def note_served(self):
        self.served += 1


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
        await world.daemon.wait_for("ack", 2)
        world.call(2, key="b")
        await world.daemon.wait_for("call_tool", 2)
        await world.daemon.accept("b")
        await world.daemon.wait_for("ack", 3)

    handle = json.loads(answer["result"]["content"][0]["text"])
    (hello,) = world.daemon.ops("hello")
    assert (frame["handle_after_s"], frame["timeout_s"]) == (54, None)
    assert not answer["result"]["isError"]
    assert (handle["status"], handle["tool"], handle["elapsed_s"]) == ("running", "chat", 58.0)
    assert handle["call_id"] == handle_of(hello["session_id"], "a")
    assert answer["result"]["structuredContent"] == handle
    assert world.daemon.ops("cancel") == []
    # Until it has ended and that is acknowledged, the daemon is to keep it for whoever has the handle.
    assert [[], ["a"], []] == [ack["handles"] for ack in world.daemon.ops("ack")]


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


async def test_last_words_are_the_answer_at_once(make_world, autojump_clock):
    """Of all that wait, and of who asks while the daemon is not started again."""
    async with make_world(up=False, unreachable=NotListening) as world:
        world.link.starter = Ended("EXAI_WS_PORT=x: a whole number from 0 to 65535.")
        world.link.ensure_daemon = world.link.starter.ensure
        began = trio.current_time()
        world.call(1)
        first = await world.lines.wait_answer(1)
        await trio.sleep(30)
        world.call(2)
        second = await world.lines.wait_answer(2)
        took = trio.current_time() - began - 30

    assert took < 2
    for answer in (first, second):
        assert "EXAI_WS_PORT=x: a whole number" in text_of(answer)
        assert "`exai serve`" in text_of(answer)
        assert "SERVICE_UNAVAILABLE" == answer["result"]["_meta"]["exai/error"]["code"]


async def test_an_accepted_call_waits_for_the_next_daemon(make_world, autojump_clock):
    """Its work is in the journal: the time without a daemon costs it nothing."""
    async with make_world(silent=True) as world:
        world.call(1, key="a", client="claude-code")
        await world.daemon.wait_for("call_tool")
        await world.daemon.accept("a")
        world.daemon.up = False
        await world.daemon.hang_up()
        await trio.sleep(500)
        world.bridge.expire(trio.current_time())
        world.daemon.up, world.daemon.silent = True, False
        answer = await world.lines.wait_answer(1)

    assert "ok" == text_of(answer)
