"""What every tool refuses, and how: from its own schema, so that no argument of no tool is forgotten."""

import pytest

from exai_trio.errors import ArgumentError
from exai_trio.tools.arguments import parse, schema
from exai_trio.tools.registry import BUILT_IN

SCHEMAS = {tool.name: schema(tool) for tool in BUILT_IN}
# These take anything, as clients that send more than they should have long relied on.
OPEN = {"self-check", "status", "toolcall_log_tail"}
# Where any JSON is taken, as an object that describes itself.
DESCRIBED = {"issues_found", "model_responses", "messages", "models"}
FITTING = {"string": "x", "integer": 1, "number": 0.5, "boolean": True, "object": {}}
MISFITS = {"string": 5, "integer": "many", "number": "hot", "boolean": "perhaps", "array": 7}


def of(tool, field):
    return SCHEMAS[tool.name]["properties"][field]


def arguments(tool, **more):
    """The required arguments of the tool, and these."""
    required = SCHEMAS[tool.name].get("required", ())
    return {field: fitting(of(tool, field)) for field in required} | more


def fitting(part):
    if part["type"] == "array":
        return [fitting(part["items"])]
    return part.get("enum", [FITTING.get(part["type"])])[0]


def refused(tool, **sent):
    with pytest.raises(ArgumentError) as fault:
        parse(tool, arguments(tool, **sent))
    assert fault.value.code == "VALIDATION_ERROR"
    return fault.value


def fields(*wanted):
    """All arguments of all tools whose schemas have one of these, but those that take any JSON."""
    for tool in BUILT_IN:
        for field, part in SCHEMAS[tool.name]["properties"].items():
            anything = field in DESCRIBED or part["type"] == "object"
            if part.keys() & set(wanted) and not (anything and "type" in wanted):
                yield pytest.param(tool, field, id=f"{tool.name}-{field}")


@pytest.mark.parametrize("tool", BUILT_IN, ids=lambda tool: tool.name)
def test_an_unknown_argument_is_named(tool):
    """Every tool but three names the argument that it does not have, and those that it has."""
    assert (tool.name in OPEN) == SCHEMAS[tool.name]["additionalProperties"]
    if tool.name in OPEN:
        assert parse(tool, arguments(tool, colour="red")) == parse(tool, arguments(tool))
        return
    fault = refused(tool, colour="red")

    assert "colour" in fault.message
    assert fault.details["field"] == "colour"
    assert SCHEMAS[tool.name]["properties"].keys() == set(fault.details["allowed"])


def test_only_planner_tolerates_findings():
    """Old clients send findings to planner; it drops them, others that have none refuse them."""
    tolerant = {tool.name for tool in BUILT_IN if tool.tolerated}
    (planner,) = (tool for tool in BUILT_IN if tool.name == "planner")
    (chat,) = (tool for tool in BUILT_IN if tool.name == "chat")

    assert {"planner"} == tolerant
    assert parse(planner, arguments(planner, findings=["x"])) == parse(planner, arguments(planner))
    assert refused(chat, findings="x").details["field"] == "findings"


@pytest.mark.parametrize(("tool", "field"), [*fields("type")])
def test_a_wrong_type_is_refused_with_field_value_and_allowed_range(tool, field):
    """The refusal says which argument, what it got, and what is allowed."""
    part = of(tool, field)
    sent = "nonsense" if "enum" in part else MISFITS[part["type"]]
    fault = refused(tool, **{field: sent})

    assert fault.message.startswith(f"{field} ")
    assert str(sent) in fault.message
    assert fault.details.keys() >= {"field", "value", "allowed"}
    assert fault.details["field"] == field
    assert all(choice in fault.details["allowed"] for choice in part.get("enum", ()))


@pytest.mark.parametrize(("tool", "field"), [*fields("minimum", "maximum")])
def test_a_number_out_of_range_is_refused_with_the_range(tool, field):
    """One beyond either bound is refused; the bounds themselves are taken."""
    part = of(tool, field)
    for bound, step in (("minimum", -1), ("maximum", 1)):
        if bound not in part:
            continue
        fault = refused(tool, **{field: part[bound] + step})

        assert (field, str(part[bound] + step)) == (fault.details["field"], fault.details["value"])
        assert str(part[bound]) in fault.details["allowed"]
        assert str(part[bound]) in fault.message
        assert getattr(parse(tool, arguments(tool, **{field: part[bound]})), field) == part[bound]


@pytest.mark.parametrize(("tool", "field"), [*fields("minItems")])
def test_an_empty_list_is_refused_with_what_it_needs(tool, field):
    """Where at least one is needed, the refusal says so."""
    allowed = refused(tool, **{field: []}).details["allowed"]

    assert f" {of(tool, field)['minItems']} " in allowed
    assert "entries" in allowed


@pytest.mark.parametrize("tool", BUILT_IN, ids=lambda tool: tool.name)
def test_a_missing_argument_is_named(tool):
    """Each required argument is asked for by name."""
    for field in SCHEMAS[tool.name].get("required", ()):
        whole = arguments(tool)
        del whole[field]
        with pytest.raises(ArgumentError, match=f"{field} is required|no argument") as fault:
            parse(tool, whole)

        assert fault.value.details["field"] == field
