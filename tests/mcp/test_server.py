"""What the MCP server says, checked with the official types for each version."""

import json

import pytest
from hypothesis import given, strategies as st
from mcp_types import methods
from mcp_types.jsonrpc import jsonrpc_message_adapter

from exai_trio.mcp import jsonrpc
from exai_trio.mcp.params import Call
from exai_trio.mcp.server import CancelCall, RootsChanged, Server, ToolListWanted
from exai_trio.mcp.subscriptions import MAX_LISTENS
from exai_trio.mcp.tool_list import listing_of
from exai_trio.mcp.versions import HANDSHAKE_VERSIONS, STATELESS_VERSIONS

MODERN = STATELESS_VERSIONS[0]
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "codex-test", "version": "1"},
}
TOOL = {"name": "chat", "description": "asks", "inputSchema": {"type": "object"}}
ONE = listing_of([TOOL])
TWO = listing_of([TOOL, {**TOOL, "name": "more"}])


class Talk:
    """A server and its client. Each step returns the lines that were written, and what is left for others."""

    def __init__(self, listing=None):
        self.lines = []
        self.server = Server(self, listing)

    def put(self, line, request=None, *, progress=False):
        self.lines.append(line)

    def _said(self, effects=None):
        lines, self.lines = self.lines, []
        return [*lines, *(effects or ())]

    def hear(self, message):
        return self._said(self.server.hear(message))

    def offer(self, listing):
        return self._said(self.server.offer(listing))

    def farewell(self):
        return self._said(self.server.farewell())


def say(talk, method, params=None, id_=1):
    """What the server does about a request; a None id makes it a notification."""
    message = {"jsonrpc": "2.0", "method": method}
    if id_ is not None:
        message["id"] = id_
    if params is not None:
        message["params"] = params
    return talk.hear(jsonrpc.parse(json.dumps(message).encode()))


def said(lines):
    """The messages that are written, each checked to be JSON-RPC."""
    for line in lines:
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        jsonrpc_message_adapter.validate_json(line)
    return [json.loads(line) for line in lines]


def opened(version):
    talk = Talk(ONE)
    params = {
        "protocolVersion": version,
        "capabilities": {"roots": {}},
        "clientInfo": {"name": "x"},
    }
    say(talk, "initialize", params)
    return talk


@pytest.mark.parametrize("version", HANDSHAKE_VERSIONS)
def test_the_handshake_agrees_on_every_known_version(version):
    """initialize, ping and tools/list are valid results of the version that was asked for."""
    talk = Talk(ONE)
    (hello,) = said(say(talk, "initialize", {"protocolVersion": version, "capabilities": {}}))
    (tools,) = said(say(talk, "tools/list", {"_meta": {"progressToken": 1}}))
    (pong,) = said(say(talk, "ping"))

    assert hello["result"]["protocolVersion"] == version
    assert hello["result"]["capabilities"] == {
        "tools": {"listChanged": True},
        "prompts": {"listChanged": True},
        "resources": {},
        "completions": {},
    }
    methods.validate_server_result("initialize", version, hello["result"])
    methods.validate_server_result("tools/list", version, tools["result"])
    methods.validate_server_result("ping", version, pong["result"])


def test_an_unknown_version_is_countered():
    """A client that asks for another version is offered the newest one with a handshake."""
    (hello,) = said(say(Talk(), "initialize", {"protocolVersion": "1999-01-01"}))

    assert hello["result"]["protocolVersion"] == "2025-11-25"


def test_a_stateless_client_needs_no_handshake():
    """server/discover and tools/list are valid results of 2026-07-28."""
    talk = Talk(ONE)
    (found,) = said(say(talk, "server/discover", {"_meta": META}))
    (tools,) = said(say(talk, "tools/list", {"_meta": META}, id_="s"))

    methods.validate_server_result("server/discover", MODERN, found["result"])
    methods.validate_server_result("tools/list", MODERN, tools["result"])
    assert found["result"]["supportedVersions"] == [MODERN]
    assert talk.server.client == "codex-test"


@pytest.mark.parametrize(
    ("meta", "code"),
    [
        ({**META, "io.modelcontextprotocol/protocolVersion": "2031-01-01"}, -32022),
        ({**META, "io.modelcontextprotocol/protocolVersion": 3}, jsonrpc.INVALID_PARAMS),
        ({key: META[key] for key in list(META)[:1]}, jsonrpc.INVALID_PARAMS),
        ({key: META[key] for key in list(META)[1:]}, jsonrpc.INVALID_PARAMS),
        ({}, jsonrpc.INVALID_PARAMS),
    ],
)
def test_a_bad_envelope_is_refused(meta, code):
    """A missing or malformed key is -32602, an unknown version -32022 with what is spoken here."""
    (answer,) = said(say(Talk(), "server/discover", {"_meta": meta}))

    assert answer["error"]["code"] == code
    if code == -32022:
        assert answer["error"]["data"]["requested"] == "2031-01-01"
        assert MODERN in answer["error"]["data"]["supported"]


def test_a_probe_that_is_refused_does_not_bind_the_client():
    """After any answer to server/discover, initialize opens the handshake era."""
    talk = Talk(ONE)
    say(talk, "server/discover", {"_meta": META})
    (hello,) = said(say(talk, "initialize", {"protocolVersion": "2025-06-18"}))
    (pong,) = said(say(talk, "ping"))

    assert hello["result"]["protocolVersion"] == "2025-06-18"
    assert pong["result"] == {}


def test_a_stateless_connection_wants_the_envelope_on_each_request():
    """Once the stateless era is open, a request without its keys is refused, and ping is gone."""
    talk = Talk(ONE)
    say(talk, "server/discover", {"_meta": META})
    (bare,) = said(say(talk, "tools/list"))
    (pong,) = said(say(talk, "ping", {"_meta": META}))

    assert bare["error"]["code"] == jsonrpc.INVALID_PARAMS
    assert pong["error"]["code"] == jsonrpc.METHOD_NOT_FOUND


@pytest.mark.parametrize(
    "method", ["resources/subscribe", "tasks/get", "logging/setLevel", "nothing", ""]
)
def test_what_is_not_offered_is_not_found(method):
    """Unknown methods and those of absent capabilities are -32601."""
    (answer,) = said(say(opened("2025-11-25"), method))

    assert answer["error"]["code"] == jsonrpc.METHOD_NOT_FOUND


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("initialize", {}),
        ("initialize", [1]),
        ("tools/list", [1]),
        ("tools/call", {}),
        ("tools/call", {"name": 3}),
        ("tools/call", {"name": "chat", "arguments": [1]}),
        ("tools/call", {"name": "chat", "arguments": "x"}),
        ("tools/call", {"name": "chat", "_meta": 4}),
        ("tools/call", None),
    ],
)
def test_params_of_the_wrong_shape_are_refused(method, params):
    """Params that the method cannot use are -32602."""
    (answer,) = said(say(opened("2025-11-25"), method, params))

    assert answer["error"]["code"] == jsonrpc.INVALID_PARAMS


@pytest.mark.parametrize(
    "method", ["notifications/initialized", "ping", "tools/call", "x", "initialize"]
)
def test_notifications_are_never_answered(method):
    """A message without an id gets no answer, even if its method wants one."""
    talk = Talk(ONE)

    assert [e for e in say(talk, method, {"a": 1}, id_=None) if isinstance(e, bytes)] == []


def test_a_call_is_handed_on_with_its_keys():
    """Name, arguments, token, the client's own key and the trace reach the bridge."""
    meta = {"progressToken": 7, "claudecode/toolUseId": "toolu_1", "traceparent": "00-a-b-01"}
    (call,) = say(
        opened("2025-06-18"), "tools/call", {"name": "chat", "arguments": {"p": 1}, "_meta": meta}
    )

    assert isinstance(call, Call)
    assert (call.name, bytes(call.arguments), call.token) == ("chat", b'{"p": 1}', 7)
    assert (call.key, call.trace, call.client) == ("toolu_1", "00-a-b-01", "x")


@pytest.mark.parametrize(
    ("meta", "key"),
    [
        ({"callId": "c1", "x-codex-turn-metadata": {"thread_id": "t"}}, "t:c1"),
        ({"callId": "c1", "x-codex-turn-metadata": '{"session_id":"s"}'}, "s:c1"),
        ({"callId": "c1", "threadId": "t2"}, "t2:c1"),
        ({"callId": "c1", "x-codex-turn-metadata": {"a": 1}, "threadId": "t2"}, "t2:c1"),
        ({"callId": "c1", "x-codex-turn-metadata": "{"}, None),
        ({"callId": "c1"}, None),
        ({"claudecode/toolUseId": ""}, None),
        ({"claudecode/toolUseId": "x" * 1000}, None),
        ({"progressToken": {"odd": 1}}, None),
    ],
)
def test_a_codex_call_id_counts_only_with_its_thread(meta, key):
    """callId alone is not unique; odd values are ignored, not refused."""
    (call,) = say(opened("2025-06-18"), "tools/call", {"name": "chat", "_meta": meta})

    assert call.key == key


def test_null_arguments_are_no_arguments():
    """Some clients send null where they mean nothing."""
    (call,) = say(opened("2025-06-18"), "tools/call", {"name": "version", "arguments": None})

    assert bytes(call.arguments) == b"{}"


def test_a_cancel_is_handed_on_and_an_odd_one_dropped():
    """Only a cancel with an id means anything."""
    talk = opened("2025-11-25")

    assert say(talk, "notifications/cancelled", {"requestId": 5}, id_=None) == [CancelCall(5)]
    assert say(talk, "notifications/cancelled", {"requestId": None}, id_=None) == []
    assert say(talk, "notifications/cancelled", [1], id_=None) == []


def test_a_list_that_is_not_there_yet_is_answered_when_it_comes():
    """tools/list waits for the first listing, and is never answered empty."""
    talk = Talk()
    say(talk, "initialize", {"protocolVersion": "2025-11-25"})

    assert say(talk, "tools/list", id_=9) == [ToolListWanted()]
    (answer,) = said(talk.offer(ONE))
    assert (answer["id"], answer["result"]["tools"]) == (9, [TOOL])
    assert 9 not in {line.get("id") for line in said(talk.offer(ONE))}


def test_a_change_is_told_only_if_the_list_that_was_told_really_changed():
    """list_changed follows a changed hash, once, and only to those who had listed."""
    talk = opened("2025-11-25")

    assert talk.offer(TWO) == []
    say(talk, "tools/list")
    assert talk.offer(TWO) == []
    (notice,) = said(talk.offer(ONE))
    assert notice["method"] == "notifications/tools/list_changed"
    assert talk.offer(ONE) == []


def test_a_subscription_is_acknowledged_first_and_tags_its_notices():
    """subscriptions/listen: acknowledgement, tagged notices, and an ordinary result at the end."""
    talk = Talk(ONE)
    (ack,) = said(
        say(
            talk,
            "subscriptions/listen",
            {
                "_meta": META,
                "notifications": {"toolsListChanged": True, "promptsListChanged": True},
            },
            id_="listen:0",
        )
    )
    notices = said(talk.offer(TWO))
    (end,) = said(talk.farewell())

    assert ack["method"] == "notifications/subscriptions/acknowledged"
    assert ack["params"]["notifications"] == {"toolsListChanged": True, "promptsListChanged": True}
    assert [notice["method"] for notice in notices] == [
        "notifications/tools/list_changed",
        "notifications/prompts/list_changed",
    ]
    for tagged in (ack, *notices):
        assert tagged["params"]["_meta"] == {"io.modelcontextprotocol/subscriptionId": "listen:0"}
        methods.parse_server_notification(tagged["method"], MODERN, tagged["params"])
    assert end["id"] == "listen:0"
    methods.validate_server_result("subscriptions/listen", MODERN, end["result"])


def test_prompts_change_with_the_tools_they_are_made_from():
    """Who has listed prompts hears of it; who has not, or when only an output schema differs, does not."""
    talk = opened("2025-11-25")
    talk.offer(TWO)
    say(talk, "prompts/list")
    (notice,) = said(talk.offer(ONE))
    same = talk.offer(listing_of([{**TOOL, "outputSchema": {"type": "object"}}]))
    say(talk, "tools/list")
    both = said(talk.offer(TWO))

    assert notice["method"] == "notifications/prompts/list_changed"
    methods.parse_server_notification(notice["method"], "2025-11-25", None)
    assert same == []
    assert {note["method"] for note in both} == {
        "notifications/prompts/list_changed",
        "notifications/tools/list_changed",
    }


def test_each_subscription_hears_what_it_wished_for():
    """Two of one client's, about different lists."""
    talk = Talk(ONE)
    for wish in ("tools", "prompts"):
        params = {"_meta": META, "notifications": {f"{wish}ListChanged": True}}
        say(talk, "subscriptions/listen", params, id_=wish)
    notices = said(talk.offer(TWO))

    assert {(f"notifications/{kind}/list_changed", kind) for kind in ("tools", "prompts")} == {
        (note["method"], note["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"])
        for note in notices
    }


@pytest.mark.parametrize("wish", ["toolsListChanged", "promptsListChanged"])
def test_only_what_was_wished_for_is_told(wish):
    """Also if the subscription came before there was any list."""
    talk = Talk()
    say(talk, "subscriptions/listen", {"_meta": META, "notifications": {wish: True}}, id_=1)
    first = talk.offer(ONE)
    (notice,) = said(talk.offer(TWO))

    assert first == []
    assert notice["method"] == f"notifications/{wish.removesuffix('ListChanged')}/list_changed"


def test_a_change_that_nobody_could_be_told_of_is_told_with_the_next_subscription():
    """Between a list and the subscription that follows it the tools may change: that is not lost, and is told once."""
    talk = Talk(ONE)
    say(talk, "tools/list", {"_meta": META})
    unheard = talk.offer(TWO)
    params = {"_meta": META, "notifications": {"toolsListChanged": True}}
    first, second = (say(talk, "subscriptions/listen", params, id_=id_) for id_ in (8, 9))

    assert unheard == []
    ack, notice = said(first)
    assert ack["method"] == "notifications/subscriptions/acknowledged"
    assert notice["method"] == "notifications/tools/list_changed"
    assert notice["params"]["_meta"] == {"io.modelcontextprotocol/subscriptionId": 8}
    assert len(second) == 1


def test_a_cancelled_subscription_hears_no_more():
    """After notifications/cancelled for a listen nothing is sent for it."""
    talk = Talk(ONE)
    params = {"_meta": META, "notifications": {"toolsListChanged": True}}
    say(talk, "subscriptions/listen", params, id_=1)
    say(talk, "notifications/cancelled", {"requestId": 1}, id_=None)

    assert talk.offer(TWO) == []
    assert talk.farewell() == []


def test_subscriptions_are_bounded():
    """Too many open subscriptions are refused with a code of our own."""
    talk = Talk(ONE)
    params = {"_meta": META, "notifications": {}}
    answers = [
        said(say(talk, "subscriptions/listen", params, id_=n))[0] for n in range(MAX_LISTENS + 1)
    ]

    assert "error" not in answers[-2]
    assert not -32768 <= answers[-1]["error"]["code"] <= -32000


def test_roots_are_asked_for_and_taken():
    """A client with roots is asked after initialized and at each change; the newest answer counts."""
    talk = opened("2025-06-18")
    (asked,) = said(say(talk, "notifications/initialized", id_=None))
    (again,) = said(say(talk, "notifications/roots/list_changed", id_=None))

    def answer(id_):
        roots = [{"uri": "file:///a%20b"}, {"uri": "https://x/"}, {"uri": "file://host/x"}]
        line = json.dumps({"jsonrpc": "2.0", "id": id_, "result": {"roots": roots}})
        return talk.hear(jsonrpc.parse(line.encode()))

    assert asked["method"] == "roots/list"
    assert answer(asked["id"]) == []
    assert answer(again["id"]) == [RootsChanged(("/a b",))]


@pytest.mark.parametrize(
    "result", ["{}", '{"roots":3}', '{"roots":[]}', '{"roots":[{"uri":"file://["}]}']
)
def test_useless_roots_are_ignored(result):
    """An answer without local directories changes nothing."""
    talk = opened("2025-06-18")
    (asked,) = said(say(talk, "notifications/initialized", id_=None))
    line = f'{{"jsonrpc":"2.0","id":"{asked["id"]}","result":{result}}}'

    assert talk.hear(jsonrpc.parse(line.encode())) == []


def test_a_stateless_client_is_asked_nothing():
    """The stateless era has no requests from server to client."""
    talk = Talk(ONE)
    say(talk, "server/discover", {"_meta": META})

    assert say(talk, "notifications/initialized", id_=None) == []


@pytest.mark.parametrize("version", HANDSHAKE_VERSIONS)
def test_what_the_server_sends_by_itself_is_valid_in_every_version(version):
    """roots/list and list_changed are a request and a notification of each version with a handshake."""
    talk = opened(version)
    (roots,) = said(say(talk, "notifications/initialized", id_=None))
    say(talk, "tools/list")
    (changed,) = said(talk.offer(TWO))

    methods.parse_server_request(roots["method"], version, roots.get("params"))
    methods.parse_server_notification(changed["method"], version, changed.get("params"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=5,
)
METHODS = sorted(
    {name for name, _ in methods.CLIENT_REQUESTS} | {n for n, _ in methods.CLIENT_NOTIFICATIONS}
)
MESSAGES = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "method": st.sampled_from(METHODS)},
    optional={
        "id": st.integers(0, 3) | st.text(max_size=2),
        "params": JSON
        | st.fixed_dictionaries(
            {},
            optional={
                "_meta": st.just(META) | JSON,
                "name": JSON,
                "arguments": JSON,
                "protocolVersion": st.sampled_from(HANDSHAKE_VERSIONS) | JSON,
                "requestId": JSON,
                "uri": st.just("exai://threads/x") | JSON,
                "ref": JSON,
                "argument": st.just({"name": "model", "value": "g"}) | JSON,
                "notifications": JSON,
                "capabilities": JSON,
            },
        ),
    },
)


@given(st.lists(MESSAGES, max_size=12))
def test_no_conversation_breaks_the_server(messages):
    """Whatever is said in whatever order: each request has at most one answer, each line is JSON-RPC."""
    talk = Talk(ONE)
    for message in messages:
        effects = talk.hear(jsonrpc.parse(json.dumps(message).encode()))
        answers = [
            m for m in said([e for e in effects if isinstance(e, bytes)]) if "method" not in m
        ]
        assert len(answers) <= ("id" in message)
