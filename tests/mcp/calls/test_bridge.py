"""An MCP server without a shim: a client's lines go in, calls go to whoever runs them, and lines for the client come out."""

import json
import subprocess
import sys

import pytest

from exai_trio.mcp import jsonrpc
from exai_trio.mcp.calls.bridge import Bridge
from exai_trio.mcp.calls.large_results import LargeResults
from exai_trio.mcp.params import Call
from exai_trio.mcp.server import CancelCall, Server
from exai_trio.mcp.tool_list import listing_of
from exai_trio.wire.messages import CallResult, Output, Progress

TOOL = {"name": "chat", "description": "asks", "inputSchema": {"type": "object"}}


class Lines(list):
    """Where lines for the client go: what it is, what it is about, and whether it is only progress."""

    def put(self, line, request=None, *, progress=False):
        self.append((json.loads(line) if line else None, request, progress))


class Runner:
    """Runs nothing, and notes what it was asked."""

    def __init__(self):
        self.asked = []

    def start(self, call):
        self.asked.append(("start", call.key))

    def cancel(self, call):
        self.asked.append(("cancel", call.key))

    def detach(self, call):
        self.asked.append(("detach", call.key))

    def handle(self, call):
        return f"handle of {call.key}"

    def deadline(self, _call, requester):
        return requester.deadline

    def lateness(self, _requester, _now):
        return "TIMEOUT", "it took too long"


class Http:
    """What a daemon would do with the messages of one HTTP session."""

    def __init__(self, folder):
        self.lines, self.runner = Lines(), Runner()
        self.server = Server(self.lines, listing_of([TOOL]))
        self.bridge = Bridge(self.lines, self.runner, LargeResults(folder), "session_1")

    def post(self, method, id_=None, **params):
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        line = json.dumps(message if id_ is None else {**message, "id": id_}).encode()
        for effect in self.server.hear(jsonrpc.parse(line)):
            match effect:
                case Call():
                    self.bridge.start(effect, 0.0)
                case CancelCall():
                    self.bridge.withdraw(effect.id)
        said = self.lines[:]
        self.lines.clear()
        return said


@pytest.fixture
def http(tmp_path):
    http = Http(tmp_path)
    http.post("initialize", 0, protocolVersion="2025-06-18")
    return http


def call(http, id_, key="k", **meta):
    return http.post(
        "tools/call", id_, name="chat", arguments={}, _meta={"claudecode/toolUseId": key, **meta}
    )


def text_of(line):
    return line["result"]["content"][0]["text"]


def test_a_list_is_answered_at_once(http):
    """Under the id of its request, so that each answer finds its own stream."""
    ((answer, request, progress),) = http.post("tools/list", 7)

    assert ["chat"] == [tool["name"] for tool in answer["result"]["tools"]]
    assert (7, False) == (request, progress)


def test_a_call_is_started_told_of_and_answered(http):
    """Progress is marked as such, and comes to who asked for it; the answer ends the request."""
    said = call(http, 1, progressToken="t")
    http.bridge.deliver(
        Progress(request_id="k", name="chat", t="x", stage="s", message="m", elapsed_s=1.0)
    )
    http.bridge.deliver(CallResult(request_id="k", outputs=[Output(text="ok")]))
    (told, about, is_progress), (answer, request, last) = http.lines

    assert [] == said
    assert [("start", "k")] == http.runner.asked
    assert ("s: m", 1, True) == (told["params"]["message"], about, is_progress)
    assert ("ok", 1, False) == (text_of(answer), request, last)
    assert 0 == len(http.bridge.calls)


def test_a_withdrawn_call_ends_without_an_answer(http):
    """Its stream can be closed, and the runner hears of it once nobody waits any more."""
    call(http, 1)
    call(http, 2)
    first = http.post("notifications/cancelled", requestId=1)
    asked = http.runner.asked[:]
    second = http.post("notifications/cancelled", requestId=2)
    http.bridge.deliver(CallResult(request_id="k", outputs=[Output(text="ok")]))

    assert ([(None, 1, False)], [(None, 2, False)]) == (first, second)
    assert [("start", "k")] == asked
    assert [*asked, ("cancel", "k")] == http.runner.asked
    assert [] == http.lines


def test_a_call_that_takes_long_is_answered_with_its_handle(http):
    """If it was accepted: it goes on. Otherwise with the fault, and it is cancelled."""
    call(http, 1, "a")
    call(http, 2, "b")
    http.bridge.calls.get("a").accepted = True
    http.bridge.expire(http.bridge.soonest_deadline())
    (handle, *_), (fault, *_) = http.lines

    assert "handle of a" == json.loads(text_of(handle))["call_id"]
    assert "TIMEOUT" in text_of(fault)
    assert [("start", "a"), ("start", "b"), ("detach", "a"), ("cancel", "b")] == http.runner.asked


def test_it_shows_its_state(http):
    """A line of a log says who is served and what is open."""
    call(http, 1)

    assert "<Server nobody 2025-06-18 waiting=0>" == repr(http.server)
    assert "<Bridge session_1 <OpenCalls requests=1 calls=1 bytes=2>>" == repr(http.bridge)


def test_nothing_of_a_shim_or_of_sockets_is_loaded():
    """A daemon can serve MCP with it."""
    code = (
        "import sys, exai_trio.mcp.server, exai_trio.mcp.calls.bridge\n"
        "print(*[n for n in sys.modules if n.startswith(('exai_trio.shim', 'exai_trio.transport', 'trio_websocket'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "" == done.stdout.strip()
