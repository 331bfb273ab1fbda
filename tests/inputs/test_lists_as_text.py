"""Lists and objects that a client writes as JSON text, for every argument of every tool."""

import json

import msgspec
import pytest

from exai_trio.errors import ArgumentError
from exai_trio.mcp.params import BadParams, read_call
from exai_trio.tools.arguments import parse, schema
from exai_trio.tools.registry import BUILT_IN, INTERNAL
from exai_trio.tools.vendor import raw_messages
from exai_trio.wire.codec import decode_client

TOOLS = {tool.name: tool for tool in (*BUILT_IN, *INTERNAL)}
LISTS = [
    (tool.name, name)
    for tool in TOOLS.values()
    for name, field in schema(tool)["properties"].items()
    if field.get("type") == "array"
]
MESSAGE = {"role": "user", "content": "hi"}


def sample(field):
    """A value that the schema of a field allows."""
    if "enum" in field:
        return field["enum"][0]
    match field.get("type"):
        case "array":
            return [sample(field["items"]), sample(field["items"])]
        case "object":
            return {name: sample(each) for name, each in field.get("properties", {}).items()} or {
                "description": 'a "quoted" [thing], größer\n'
            }
        case "string":
            return '/a/größer "b", [c].txt'
        case "boolean":
            return True
        case kind:
            return field.get("minimum", 1) if kind in {"integer", "number"} else "x"


def parsed(name, **given):
    """The arguments of a call that has all that is required."""
    whole = schema(TOOLS[name])
    base = {each: sample(whole["properties"][each]) for each in whole.get("required", ())}
    return parse(TOOLS[name], base | given)


def values(name, field):
    """Lists that the field takes: empty, of one, of two."""
    shape = schema(TOOLS[name])["properties"][field]
    two = sample(shape)
    return [value for value in ([], two[:1], two) if len(value) >= shape.get("minItems", 0)]


def writings(value):
    """The ways in which clients write JSON."""
    return [
        json.dumps(value),
        json.dumps(value, ensure_ascii=False, indent=2),
        f" \n{msgspec.json.encode(value).decode()}\n",
    ]


def test_there_are_lists_to_try():
    """The table is made from the schemas, and not empty."""
    assert ("chat", "files") in LISTS
    assert ("consensus", "models") in LISTS


@pytest.mark.parametrize(("name", "field"), LISTS)
def test_a_list_as_text_is_that_list(name, field):
    """A text that is a JSON list stands for the list; so does a list that holds nothing but that text."""
    for value in values(name, field):
        expected = parsed(name, **{field: value})

        assert [expected] * 3 == [parsed(name, **{field: text}) for text in writings(value)]
        if value:
            assert expected == parsed(name, **{field: [json.dumps(value)]})


@pytest.mark.parametrize(
    ("name", "field"),
    [
        (name, field)
        for name, field in LISTS
        if schema(TOOLS[name])["properties"][field]["items"].get("type") == "object"
    ],
)
def test_objects_as_text_are_those_objects(name, field):
    """Objects in a list may be text each, and one object alone is a list of one."""
    two = sample(schema(TOOLS[name])["properties"][field])

    assert parsed(name, **{field: two}) == parsed(name, **{field: [json.dumps(e) for e in two]})
    assert parsed(name, **{field: two[:1]}) == parsed(name, **{field: json.dumps(two[0])})
    mixed = json.dumps([json.dumps(two[0]), two[1]])
    assert parsed(name, **{field: two}) == parsed(name, **{field: mixed})


@pytest.mark.parametrize(
    "text",
    [
        "/a/[b].txt",
        "[unclosed",
        "[1, 2]",
        '["a", 1]',
        '{"a": 1}',
        "[x] done",
        "null",
        '"quoted"',
        "[[]]",
    ],
)
def test_other_text_stays_text(text):
    """What is no JSON list of texts is one text, as it was sent."""
    assert (text,) == parsed("refactor", focus_areas=text).focus_areas


def test_a_question_in_json_stays_a_question():
    """A text for a model that happens to be JSON is no message of a conversation."""
    found = {
        text: raw_messages.messages(parsed("kimi_chat_with_tools", messages=text).messages)[0].text
        for text in ('{"name": "x"}', "[1, 2, 3]", "{}", "plain")
    }

    assert {text: text for text in found} == found
    expected = raw_messages.messages([MESSAGE])
    written = parsed("kimi_chat_with_tools", messages=json.dumps(MESSAGE))
    assert expected == raw_messages.messages(written.messages)


@pytest.mark.parametrize(
    "text",
    [
        '[{"a": "\\ud800"}]',
        "[" * 60 + "]" * 60,
        "[" * 100_000 + "]" * 100_000,
        '[{"a": 1e999}]',
        '[{"a": ' + "9" * 5000 + "}]",
    ],
    ids=["half a character", "deep", "without end", "infinite", "huge"],
)
def test_text_that_cannot_be_sent_is_described_or_refused(text):
    """Whatever the text holds, it is taken as text or is one refusal that can be sent back."""
    try:
        issues = parsed("analyze", issues_found=text).issues_found
    except ArgumentError as fault:
        issues = (fault.message, fault.details)

    assert msgspec.json.encode(issues)


ARGUMENTS = {"prompt": 'say "hi"', "files": ["/a"]}


def arguments_of(given):
    """What the daemon gets of a tools/call with these arguments."""
    raw = msgspec.Raw(json.dumps({"name": "chat", "arguments": given}).encode())
    return msgspec.json.decode(read_call(raw)[1])


def test_arguments_as_text_are_the_arguments():
    """A whole call's arguments may be text, in MCP and on the daemon's own wire."""
    frame = {"op": "call_tool", "request_id": 1, "name": "chat"}
    for given in (ARGUMENTS, json.dumps(ARGUMENTS), f" {json.dumps(ARGUMENTS, indent=1)} "):
        assert ARGUMENTS == arguments_of(given)
        assert ARGUMENTS == decode_client(json.dumps(frame | {"arguments": given})).arguments

    assert {} == arguments_of("null")


@pytest.mark.parametrize("given", ["", "hi", "{", "{'prompt': 1}", "[]", "[" * 5000, "1", '"{}"'])
def test_arguments_that_are_no_object_are_refused(given):
    """Any other text is refused as before."""
    with pytest.raises(BadParams, match="arguments must be an object"):
        arguments_of(given)
