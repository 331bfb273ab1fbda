"""Arguments: what is taken, what is refused and how, and the schemas that say so."""

import json
from typing import Annotated, Any, Literal

import attrs
import jsonschema
import msgspec
import pytest
import trio
from hypothesis import given, settings, strategies as st
from msgspec import Meta

from exai_trio.errors import ArgumentError
from exai_trio.tools.arguments import parse, schema
from exai_trio.tools.base import Tool
from exai_trio.tools.registry import BUILT_IN


@attrs.frozen(kw_only=True)
class Everything:
    """One field of each kind."""

    prompt: Annotated[str, Meta(min_length=1, description="Text")]
    count: Annotated[int, Meta(ge=1, le=9)] = 1
    warmth: Annotated[float, Meta(ge=0, le=1)] = 0.5
    loud: bool = True
    level: Annotated[Literal["low", "high"] | None, Meta(description="Level")] = None
    files: tuple[str, ...] = ()
    issues: tuple[dict[str, Any], ...] = ()
    note: str = ""


async def run(arguments, caller, services):
    await trio.lowlevel.checkpoint()


TOOL = Tool(
    name="all",
    description="",
    arguments=Everything,
    run=run,
    repeatable=True,
    tolerated=frozenset({"findings"}),
)
OPEN = attrs.evolve(TOOL, extra_arguments_allowed=True)


def taken(**arguments):
    return parse(TOOL, {"prompt": "x"} | arguments)


def refused(**arguments):
    with pytest.raises(ArgumentError) as fault:
        taken(**arguments)
    return fault.value


def test_left_out_arguments_have_their_defaults():
    """Only required arguments need be given."""
    assert Everything(prompt="x") == taken()


@pytest.mark.parametrize(
    ("field", "sent", "meant"),
    [
        ("count", "3", 3),
        ("count", 3.0, 3),
        ("warmth", 1, 1.0),
        ("warmth", "0.25", 0.25),
        ("loud", "false", False),
        ("files", "/a b.py", ("/a b.py",)),
        ("files", ["/a", "/b"], ("/a", "/b")),
        ("files", "", ()),
        ("issues", {"severity": "low"}, ({"severity": "low"},)),
        ("level", "high", "high"),
        ("level", "", None),
        ("level", None, None),
        ("warmth", None, 0.5),
        ("files", None, ()),
        ("note", "", ""),
        ("prompt", " two  words\n", " two  words\n"),
        ("prompt", "🙂", "🙂"),
    ],
)
def test_what_is_plainly_meant_is_taken(field, sent, meant):
    """Numbers and booleans as text, one value for a list, null and blanks for "not given"."""
    assert meant == getattr(taken(**{field: sent}), field)


@pytest.mark.parametrize(
    ("field", "sent", "allowed"),
    [
        ("count", 0, "a whole number from 1 to 9"),
        ("count", 1.5, "a whole number from 1 to 9"),
        ("count", True, "a whole number from 1 to 9"),
        pytest.param("count", 10**5000, "a whole number from 1 to 9", id="huge"),
        ("warmth", 1.01, "a number from 0 to 1"),
        ("warmth", "hot", "a number from 0 to 1"),
        ("warmth", float("nan"), "a number from 0 to 1"),
        ("warmth", [], "a number from 0 to 1"),
        ("loud", "perhaps", "true or false"),
        ("level", "HIGH", "one of high, low"),
        ("files", [1], "a list, each text"),
        ("files", 7, "a list, each text"),
        ("issues", ["x"], "a list, each an object"),
        ("note", 5, "text"),
        ("prompt", 5, "text of at least 1 characters"),
        ("prompt", "", "text of at least 1 characters"),
        ("prompt", " \n\t", "text of at least 1 characters"),
        ("prompt", None, "text of at least 1 characters"),
    ],
)
def test_what_is_wrong_is_refused_with_field_value_and_range(field, sent, allowed):
    """A refusal names the field and what is allowed, in its message or its details, and shows the value."""
    fault = refused(**{field: sent})

    assert fault.message.startswith(f"{field} ")
    assert (field, allowed) == (fault.details["field"], fault.details["allowed"])
    assert fault.details["value"]


def test_missing_argument_is_named():
    """A required argument that is not there is refused by name."""
    with pytest.raises(ArgumentError, match="prompt is required"):
        parse(TOOL, {})


def test_unknown_argument_is_named_with_the_nearest():
    """An argument that the tool does not have is refused, with the one that was probably meant."""
    fault = refused(promt="x")

    assert "'promt'" in fault.message
    assert "'prompt'" in fault.message
    assert fault.details["field"] == "promt"


def test_tolerated_arguments_are_dropped():
    """What old clients send is dropped where the tool says so, whatever it is."""
    assert taken() == taken(findings={"any": "\ud800"})


def test_open_tools_ignore_further_arguments():
    """A tool that allows further arguments takes them and its schema says so."""
    assert parse(OPEN, {"prompt": "x", "other": [1]}) == taken()
    assert schema(OPEN)["additionalProperties"] is True


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ("prompt", "half \ud83d"),
        ("files", ["/a", "/\udc00"]),
        ("issues", [{"a": {"b": ["\ud800"]}}]),
        ("issues", [{"\ud800": 1}]),
    ],
)
def test_half_characters_are_refused(field, sent):
    """A lone surrogate, however deep, is refused, and the message itself can be sent."""
    fault = refused(**{field: sent})

    assert "surrogate" in fault.message
    assert fault.message.encode()
    assert json.dumps(fault.details).encode()


def test_nesting_without_end_is_refused():
    """Deep nesting is an ArgumentError, not a crash."""
    deep: Any = []
    for _ in range(5000):
        deep = [deep]

    assert "nested" in refused(issues=deep).message


def test_numbers_that_are_none_are_refused():
    """NaN and infinity, which JSON cannot carry, are refused however deep they are."""
    assert "finite" in refused(issues=[{"weight": float("inf")}]).message


def test_messages_stay_short():
    """A refusal does not repeat a long value."""
    fault = refused(level="x" * 100_000)

    assert len(fault.message) < 300


def test_schema_says_what_parse_does():
    """The schema has the bounds, the defaults that say something, and no field that is only sometimes required."""
    expected = {
        "type": "object",
        "properties": {
            "prompt": {"type": "string", "minLength": 1, "description": "Text"},
            "count": {"type": "integer", "minimum": 1, "maximum": 9, "default": 1},
            "warmth": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5},
            "loud": {"type": "boolean", "default": True},
            "level": {"type": "string", "enum": ["high", "low"], "description": "Level"},
            "files": {"type": "array", "items": {"type": "string"}},
            "issues": {"type": "array", "items": {"type": "object"}},
            "note": {"type": "string"},
        },
        "required": ["prompt"],
        "additionalProperties": False,
    }

    assert expected == schema(TOOL)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=20)  # lone surrogates too
    | st.sampled_from(["", " ", "1", "true", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def calls_of(tool):
    """Arguments that often have the right names, and sometimes any others."""
    known = st.sampled_from(sorted(f.name for f in attrs.fields(tool.arguments)))
    return st.dictionaries(known | st.text(st.characters(), max_size=8), JSON, max_size=5)


@pytest.mark.parametrize("tool", [*BUILT_IN, TOOL], ids=lambda tool: tool.name)
def test_any_json_gives_an_instance_or_an_argument_error(tool):
    """Whatever a client sends, it is an instance of the argument class or one refusal that can be sent back."""

    @settings(max_examples=settings.default.max_examples * 2 // 5)
    @given(arguments=calls_of(tool))
    def taken_or_refused(arguments):
        made, refusal = None, b""
        try:
            made = parse(tool, arguments)
        except ArgumentError as fault:
            refusal = msgspec.json.encode([fault.message, fault.details])
        assert refusal or isinstance(made, tool.arguments)

    taken_or_refused()


def allowed(tool):
    """Arguments that satisfy the listed schema."""
    wanted = schema(tool)
    fields = {name: values(each) for name, each in wanted["properties"].items()}
    required = {name: fields.pop(name) for name in wanted.get("required", ())}
    return st.fixed_dictionaries(required, optional=fields)


def values(field):
    """What one field's schema allows, blanks and half characters left out."""
    least, most = field.get("minimum", 0), field.get("maximum", 9)
    if field["type"] == "string":
        return st.sampled_from(field.get("enum", ["text"]))
    if field["type"] == "array":
        item = "x" if field.get("items") == {"type": "string"} else {}
        return st.lists(
            st.just(item), min_size=field.get("minItems", 0), max_size=field.get("maxItems", 3)
        )
    return {
        "integer": st.integers(least, most),
        "number": st.floats(least, most),
        "boolean": st.booleans(),
    }[field["type"]]


@pytest.mark.parametrize("tool", [*BUILT_IN, TOOL], ids=lambda tool: tool.name)
def test_what_the_schema_allows_is_taken(tool):
    """Arguments that satisfy the listed schema are never refused but for blanks and half characters."""
    validator = jsonschema.Draft202012Validator(schema(tool))

    @settings(max_examples=settings.default.max_examples // 4)
    @given(arguments=allowed(tool))
    def taken_as_allowed(arguments):
        validator.validate(arguments)
        assert isinstance(parse(tool, arguments), tool.arguments)

    taken_as_allowed()
