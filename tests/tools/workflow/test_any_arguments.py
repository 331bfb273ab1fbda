"""Whatever a workflow tool is sent, it gives an answer by its schema or a typed refusal."""

import json

import jsonschema
import msgspec
import pytest
import trio
from hypothesis import HealthCheck, given, settings, strategies as st

from exai_trio.errors import ExaiError, InternalError
from exai_trio.tools.arguments import schema
from exai_trio.tools.registry import BUILT_IN

pytestmark = pytest.mark.real  # files are resolved in threads

WORKFLOWS = [tool for tool in BUILT_IN if tool.kind == "workflow"]
ENVELOPE = {
    "status",
    "step_number",
    "total_steps",
    "next_step_required",
    "continuation_id",
    "next_call",
    "next_steps",
    "metadata",
}

texts = st.one_of(
    st.sampled_from(
        ["", "x", ".", "/", "/etc/passwd", "a\0b", "data:,", "auto", "glm-4.6", "-1", "{}"]
    ),
    st.text(max_size=20),
)
LEAST = {
    "step": "x",
    "step_number": 1,
    "total_steps": 1,
    "next_step_required": False,
    "findings": "y",
}
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def fitting(part):
    """Values that this part of a schema allows, and some near them."""
    if "enum" in part:
        return st.sampled_from(part["enum"])
    simple = {
        "string": texts,
        "integer": st.integers(1, 6),
        "number": st.floats(0, 1),
        "boolean": st.booleans(),
    }
    if part["type"] == "array":
        return st.lists(fitting(part["items"]), max_size=3)
    if part["type"] == "object":
        known = {name: fitting(inner) for name, inner in part.get("properties", {}).items()}
        return st.fixed_dictionaries({}, optional=known) | st.dictionaries(
            texts, anything, max_size=2
        )
    return simple[part["type"]]


def arguments_of(tool):
    """Mostly what the schema allows, at times anything at all; required ones mostly there."""
    found = schema(tool)
    required = set(found.get("required", []))
    either = {name: fitting(part) for name, part in found["properties"].items()}
    wild = {name: st.one_of(values, values, values, anything) for name, values in either.items()}
    likely = st.fixed_dictionaries(
        {name: either[name] for name in required},
        optional={name: wild[name] for name in wild if name not in required},
    )
    return st.one_of(likely, likely, st.fixed_dictionaries({}, optional=wild))


@pytest.mark.parametrize("tool", WORKFLOWS, ids=lambda tool: tool.name)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_arguments_give_an_answer_or_a_typed_refusal(bench, tmp_path, tool, data):
    """Two steps with arguments from the tool's own schema: never a crash, always the whole shape or a named fault."""
    bench.caller.roots = (tmp_path.resolve(),)
    given_arguments = data.draw(st.lists(arguments_of(tool), min_size=1, max_size=2))

    async def play():
        again = ""
        for arguments in given_arguments:
            if again:
                arguments["continuation_id"] = again
            said = await outcome(bench, tool.name, arguments)
            again = said["continuation_id"] if said else again
            if said:
                jsonschema.validate(said, tool.output_schema)
                assert said.keys() >= ENVELOPE

    trio.run(play)


async def outcome(bench, name, arguments):
    """The answer, or None after a refusal that can be sent back. Anything else is raised."""
    refusal = None
    try:
        answer = await bench.call(name, **arguments)
    except ExaiError as fault:
        refusal = fault
    if refusal is not None:
        assert not isinstance(refusal, InternalError)
        assert msgspec.json.encode([refusal.message, refusal.details])
        return None
    assert json.loads(answer.text) == json.loads(msgspec.json.encode(answer.structured))
    return answer.structured


@pytest.mark.parametrize("field", ["step_number", "total_steps", "backtrack_from_step"])
@pytest.mark.parametrize("number", [2**63, 2**64, 10**30])
async def test_numbers_without_end(bench, field, number):
    """A huge step number is an answer or a refusal like any other."""
    await outcome(bench, "debug", LEAST | {field: number})


@pytest.mark.parametrize("issue", [{"n": 10**30}, {"severity": {"deep": []}}, 5, None, [], "x", {}])
async def test_issues_of_any_shape(bench, issue):
    """Issues are the agent's own objects; whatever they hold reaches the expert or is refused."""
    await outcome(bench, "debug", LEAST | {"issues_found": [issue]})
