"""Prompts, resources and completion in both eras, checked with the official types."""

import json

import pytest
from mcp_types import methods

from exai_trio.mcp import jsonrpc, resources
from exai_trio.mcp.params import Call
from exai_trio.mcp.server import Server, ToolListWanted
from exai_trio.mcp.tool_list import listing_of
from exai_trio.mcp.versions import HANDSHAKE_VERSIONS, STATELESS_VERSIONS, Dialect
from exai_trio.tools.registry import BUILT_IN, Registry

VERSIONS = (*HANDSHAKE_VERSIONS, *STATELESS_VERSIONS)
LISTING = listing_of(Registry(tools=BUILT_IN, profile="full").listing())
STEPWISE = {
    "name": "debug",
    "description": "finds causes",
    "inputSchema": {
        "type": "object",
        "properties": {
            "step": {"type": "string", "description": "What to look into"},
            "step_number": {"type": "integer"},
            "findings": {"type": "string"},
            "mode": {"type": "string", "enum": ["a", "b"]},
            "model": {"type": "string"},
        },
        "required": ["step", "step_number", "findings", "mode"],
    },
}


class Talk:
    """A server and one client of this version."""

    def __init__(self, version, listing=LISTING):
        self.version = version
        self.lines = []
        self.server = Server(self, listing)
        if version in HANDSHAKE_VERSIONS:
            self.ask("initialize", protocolVersion=version, capabilities={})

    def effects(self, method, **params):
        if self.version in STATELESS_VERSIONS:
            prefix = "io.modelcontextprotocol/"
            meta = {prefix + "protocolVersion": self.version, prefix + "clientCapabilities": {}}
            params["_meta"] = meta
        line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        return self.server.hear(jsonrpc.parse(line.encode()))

    def put(self, line, request=None, *, progress=False):
        self.lines.append(line)

    def ask(self, method, **params):
        assert [] == self.effects(method, **params)
        return json.loads(self.lines.pop())

    def valid(self, method, answer):
        methods.validate_server_result(method, self.version, answer["result"])
        return answer["result"]


@pytest.fixture(params=VERSIONS)
def talk(request):
    return Talk(request.param)


def test_every_listed_tool_has_a_prompt(talk):
    """The same names in the same order, in every version; the same bytes each time."""
    listed = talk.valid("prompts/list", talk.ask("prompts/list"))["prompts"]
    again = talk.ask("prompts/list")["result"]["prompts"]

    assert [tool["name"] for tool in json.loads(bytes(LISTING.tools))] == [
        p["name"] for p in listed
    ]
    assert listed == again


def test_a_prompt_is_filled_in(talk):
    """What was given stands in it, and what tool to use."""
    answer = talk.ask("prompts/get", name="chat", arguments={"prompt": "why?", "model": "glm-4.6"})
    (message,) = talk.valid("prompts/get", answer)["messages"]
    text = message["content"]["text"]

    assert "`chat`" in text
    assert text.endswith("prompt: why?\nmodel: glm-4.6")


def test_the_agents_own_arguments_are_left_to_it():
    """A person is not asked for step numbers and findings."""
    talk = Talk("2025-11-25", listing_of([STEPWISE]))
    (prompt,) = talk.ask("prompts/list")["result"]["prompts"]
    filled = talk.ask("prompts/get", name="debug", arguments={"step": "it hangs", "mode": "a"})

    assert [("step", True), ("mode", True), ("model", False)] == [
        (argument["name"], argument["required"]) for argument in prompt["arguments"]
    ]
    assert "step_number 1" in filled["result"]["messages"][0]["content"]["text"]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"name": "nothing"},
        {"name": ["chat"]},
        {"name": "chat"},
        {"name": "chat", "arguments": {"prompt": " "}},
        {"name": "chat", "arguments": {"prompt": 3}},
        {"name": "chat", "arguments": ["x"]},
        {"name": "chat", "arguments": {"prompt": "x", "colour": "red"}},
    ],
)
def test_what_fills_no_prompt_is_refused(talk, params):
    """Unknown names, missing, unknown and misshapen arguments are -32602."""
    assert jsonrpc.INVALID_PARAMS == talk.ask("prompts/get", **params)["error"]["code"]


def test_prompts_wait_for_the_first_listing():
    """They are made from it; whoever asked before hears then."""
    talk = Talk("2025-11-25", None)
    effects = talk.effects("prompts/list")
    talk.server.offer(LISTING)
    (line,) = talk.lines

    assert [ToolListWanted()] == effects
    assert json.loads(line)["result"]["prompts"]


def test_conversations_are_a_template_of_resources(talk):
    """resources/templates/list is answered without a daemon."""
    answer = talk.valid("resources/templates/list", talk.ask("resources/templates/list"))

    assert ["exai://threads/{continuation_id}"] == [
        one["uriTemplate"] for one in answer["resourceTemplates"]
    ]


REF = {"type": "ref/prompt", "name": "chat"}
ASKED = [
    ("resources/list", {}, {"operation": "list"}),
    ("resources/read", {"uri": "exai://threads/a%20b"}, {"operation": "read", "value": "a b"}),
    (
        "completion/complete",
        {"ref": REF, "argument": {"name": "model", "value": "gl"}},
        {"operation": "complete", "argument": "model", "value": "gl"},
    ),
]


@pytest.mark.parametrize(("method", "params", "arguments"), ASKED)
def test_the_daemon_is_asked_for_conversations(talk, method, params, arguments):
    """One call of its hidden tool, which remembers what was asked."""
    (call,) = talk.effects(method, **params)

    assert isinstance(call, Call)
    assert ("threads", method, arguments) == (
        call.name,
        call.method,
        json.loads(bytes(call.arguments)),
    )


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("resources/read", {}),
        ("resources/read", {"uri": "file:///etc/passwd"}),
        ("resources/read", {"uri": 4}),
        ("completion/complete", {}),
        ("completion/complete", {"ref": REF}),
        ("completion/complete", {"ref": REF, "argument": {"name": "model"}}),
        ("completion/complete", {"argument": {"name": "model", "value": "x"}}),
    ],
)
def test_misshapen_wishes_are_refused(talk, method, params):
    """-32602, before any daemon is asked."""
    assert jsonrpc.INVALID_PARAMS == talk.ask(method, **params)["error"]["code"]


THREAD = {"continuation_id": "a b", "title": "Why?", "turns": 2, "last": "2026-11-21T00:00:00Z"}
TOLD = [
    ("resources/list", {"threads": [THREAD]}, "exai://threads/a%20b"),
    ("resources/read", {"continuation_id": "a b", "content": "# C"}, "# C"),
    ("completion/complete", {"values": ["glm-4.6"]}, "glm-4.6"),
]


@pytest.mark.parametrize(("method", "answer", "shown"), TOLD)
@pytest.mark.parametrize("version", VERSIONS)
def test_the_daemons_answer_is_a_valid_result(version, method, answer, shown):
    """In every version; and so is the empty one that stands for a daemon that is away."""
    dialect = Dialect(version)
    told = json.loads(resources.told(1, method, json.dumps(answer), dialect))
    methods.validate_server_result(method, version, told["result"])
    missed = json.loads(resources.missed(1, method, "TIMEOUT", "away", dialect))
    if method == "resources/read":
        assert not -32768 <= missed["error"]["code"] <= -32000
    else:
        methods.validate_server_result(method, version, missed["result"])

    assert shown in json.dumps(told)


@pytest.mark.parametrize(("version", "code"), [("2025-11-25", -32002), ("2026-07-28", -32602)])
def test_an_unknown_conversation_is_an_error_of_its_era(version, code):
    """resource not found has another code since 2026-07-28."""
    missed = resources.missed(1, "resources/read", "NOT_FOUND", "gone", Dialect(version))

    assert code == json.loads(missed)["error"]["code"]


@pytest.mark.parametrize(
    ("title", "opening", "about"),
    [("why?", "why?", "2 turns"), ("The Bug", "why?", "why?: 2 turns"), ("x", "", "2 turns")],
)
def test_a_name_is_the_title_and_the_opening_stays_told(title, opening, about):
    """What a person called it says little of what it is about."""
    thread = {**THREAD, "title": title, "opening": opening, "turns": 2}
    told = resources.told(
        1, "resources/list", json.dumps({"threads": [thread]}), Dialect("2025-11-25")
    )
    (resource,) = json.loads(told)["result"]["resources"]

    assert title == resource["title"]
    assert resource["description"].startswith(f"{about}, last ")
