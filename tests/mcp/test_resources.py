"""Conversations as resources, and completion, in both eras, checked with the official types."""

import json

import pytest
from mcp_types import methods

from exai_trio.mcp import jsonrpc, resources
from exai_trio.mcp.params import Call
from exai_trio.mcp.versions import HANDSHAKE_VERSIONS, STATELESS_VERSIONS, Dialect

VERSIONS = (*HANDSHAKE_VERSIONS, *STATELESS_VERSIONS)


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
