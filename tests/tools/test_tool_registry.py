"""Which tools there are, under which names, and the list that editors read."""

import json
import re
import subprocess
import sys

import attrs
import jsonschema
import mcp_types
import pytest

from exai_trio.config import Config
from exai_trio.errors import ToolNotFoundError
from exai_trio.tools.registry import BUILT_IN, Registry, listed

ALL = Registry(tools=BUILT_IN, profile="full")


def registry(**settings):
    return Registry.from_config(attrs.evolve(Config(), **settings))


def names(found):
    return [tool.name for tool in found.visible()]


def test_profiles_show_more_and_more():
    """lean is part of standard, standard of full, and full shows every tool."""
    lean, standard, full = (names(registry(tool_profile=p)) for p in ("lean", "standard", "full"))

    assert {"chat", "status"} <= set(lean) <= set(standard) < set(full)
    assert [tool.name for tool in BUILT_IN] == full


def test_hidden_tools_can_be_called_and_disabled_ones_cannot():
    """The profile hides, DISABLED_TOOLS removes; ENABLED_TOOLS shows what the profile hides."""
    found = registry(
        tool_profile="lean",
        enabled_tools=frozenset({"version", "challenge"}),
        disabled_tools=frozenset({"challenge", "chat"}),
    )

    assert {"status", "version", "planner"} <= set(names(found))
    assert not {"chat", "challenge", "consensus"} & set(names(found))
    assert found.get("health").name == "health"
    assert not {"chat", "challenge"} & set(found.names())
    for name in ("chat", "challenge"):
        with pytest.raises(ToolNotFoundError):
            found.get(name)


@pytest.mark.parametrize("dashes", ["_EXAI-WS", "-EXAI-WS", "_EXAI_WS", "-EXAI_WS"])
@pytest.mark.parametrize("window", ["", "-VSCode1", "-VSCode2"])
def test_editors_suffixes_are_removed(dashes, window):
    """The suffixes that existing configurations append are no part of the name."""
    assert ALL.get(f"self-check{dashes}{window}").name == "self-check"


@pytest.mark.parametrize(
    "name", ["chatt", "", "chat_EXAI-WS-VSCode3", "_EXAI-WS", "x" * 10_000, "\ud800"]
)
def test_unknown_tools_are_refused_with_the_nearest_names(name):
    """Any other name is TOOL_NOT_FOUND, in a message that can be sent and says which tools there are."""
    with pytest.raises(ToolNotFoundError) as fault:
        ALL.get(name)

    assert fault.value.details["nearest"]
    assert len(fault.value.message.encode()) < 400


def test_nearest_name_is_the_one_that_was_meant():
    """A misspelt name leads to the right one."""
    with pytest.raises(ToolNotFoundError, match="Did you mean: listmodels"):
        ALL.get("list_models")


def test_settings_that_name_no_tool_are_reported(caplog):
    """A misspelt name in ENABLED_TOOLS or DISABLED_TOOLS is not silently ignored."""
    found = registry(disabled_tools=frozenset({"chatt", "chat"}))

    assert [("chatt", "chat")] == found.unknown_names()
    assert len(caplog.records) == 1


def test_listing_is_the_same_each_time():
    """The same configuration lists the same bytes, in the order of declaration."""
    first, second = (json.dumps(registry(tool_profile="full").listing()) for _ in range(2))

    assert first == second
    assert [tool.name for tool in BUILT_IN] == [entry["name"] for entry in json.loads(first)]


def test_standard_list_is_cheap():
    """The standard profile's list stays under 4,000 tokens (characters / 4), and no tool takes more than its share."""
    listing = json.dumps(registry().listing(), separators=(",", ":"))
    largest = max(
        len(json.dumps(listed(tool, short=True), separators=(",", ":"))) for tool in BUILT_IN
    )

    assert max(len(listing), len(json.dumps(registry().listing()))) / 4 < 4_000
    assert largest / 4 < 400


def test_full_list_is_within_its_budget():
    """The full profile's list stays under 9,000 tokens."""
    listing = json.dumps(registry(tool_profile="full").listing(), separators=(",", ":"))

    assert len(listing) / 4 < 9_000


@pytest.mark.parametrize("tool", BUILT_IN, ids=lambda tool: tool.name)
def test_a_short_entry_leaves_out_only_what_may_be_left_out(tool):
    """The short list names every required argument and every other but the seldom ones, which are still taken; types stay."""
    whole, short = (listed(tool, short=flag)["inputSchema"] for flag in (False, True))
    left_out = whole["properties"].keys() - short["properties"].keys()

    assert left_out == tool.seldom & whole["properties"].keys()
    assert not left_out & set(whole.get("required", []))
    assert whole.get("required") == short.get("required")
    for name, part in short["properties"].items():
        assert part["type"] == whole["properties"][name]["type"]


def parts(schema):
    """The schema and all schemas in it, with the names of its properties."""
    yield schema
    for inner in [*schema.get("properties", {}).values(), *filter(None, [schema.get("items")])]:
        yield from parts(inner)


SINGLE_TYPES = {"object", "array", "string", "number", "integer", "boolean"}
REFUSED = {"$schema", "$ref", "$defs", "anyOf", "oneOf", "allOf", "title", "not", "const"}


@pytest.mark.parametrize("tool", BUILT_IN, ids=lambda tool: tool.name)
@pytest.mark.parametrize("kind", ["inputSchema", "outputSchema"])
def test_schemas_are_of_the_kind_that_every_editor_takes(tool, kind):
    """Objects at the top, single types, items on arrays, numeric bounds, no references, unions or property `id`."""
    schema = listed(tool)[kind]
    jsonschema.Draft202012Validator.check_schema(schema)

    assert schema["type"] == "object"
    assert "additionalProperties" in schema or kind == "outputSchema"
    for part in parts(schema):
        assert not REFUSED & part.keys()
        assert part["type"] in SINGLE_TYPES
        assert "id" not in part.get("properties", {})
        assert ("items" in part) == (part["type"] == "array")
        for bound in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
            assert not isinstance(part.get(bound, 0), bool)


@pytest.mark.parametrize("tool", BUILT_IN, ids=lambda tool: tool.name)
def test_names_and_descriptions_fit_every_editor(tool):
    """Names are short words without dots; descriptions are one sentence or two; the entry is an MCP tool."""
    mcp_types.Tool.model_validate(listed(tool))

    assert re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_-]*", tool.name)
    assert len(tool.name) <= 40
    assert 10 < len(tool.description) <= 200


def test_names_are_unique():
    """No two tools share a name."""
    assert len(BUILT_IN) == len({tool.name for tool in BUILT_IN})


LIGHT = """
import sys
import exai_trio.tools.registry as registry
registry.Registry(tools=registry.BUILT_IN).listing()
heavy = {"openai", "starlette", "sqlite3", "hypercorn", "trio_websocket", "httpx", "httpx2", "supabase", "pydantic"}
print(*sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
print(*sorted(name for name in sys.modules if name.startswith("exai_trio.providers.")))
"""


@pytest.mark.real
def test_the_list_needs_no_heavy_imports():
    """The shim can build its list without what only the daemon needs, nor any provider's code."""
    told = subprocess.run(
        [sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True
    ).stdout.splitlines()

    assert ["", "exai_trio.providers.base"] == told
