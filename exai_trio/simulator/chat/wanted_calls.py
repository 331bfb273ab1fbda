"""When the simulated model calls a tool, which one, and with what. Pure: no trio, no clock, no I/O.

It calls when it is told to (tool_choice, a directive) or asked to ("call NAME", "use NAME", "search the web"), and never
when it has just been given what its calls returned.
"""

import json
import re
from typing import Any

from ..faults import Fault
from ..json_fields import a_list, a_text, an_object
from ..vendors.kimi_rules import BUILTIN
from .prompt import Called, Prompt, sha

_SEARCH = re.compile(r"\b(search the web|web search|search for|look up online)\b", re.IGNORECASE)


def wanted_calls(prompt: Prompt, fault: Fault) -> tuple[Called, ...]:
    """The calls that the model answers with, in order; usually none."""
    choice = prompt.body.get("tool_choice")
    if prompt.tool_results or (choice == "none" and not fault.call):
        return ()
    names = _names(prompt, fault, choice)
    before = sum(len(said.calls) for said in prompt.messages)
    return tuple(
        _call(prompt, name, fault, number) for number, name in enumerate(names, start=before)
    )


def _names(prompt: Prompt, fault: Fault, choice: object) -> list[str]:
    if fault.call:
        return [fault.call] * fault.calls
    declared = [*prompt.tool_names(), *prompt.tool_names("builtin_function")]
    named = a_text(an_object(an_object(choice).get("function")).get("name"))
    if named:
        return [named]
    asked = [name for name in declared if _asks_for(prompt.last_user, name)]
    if not asked and choice == "required":
        return declared[:1]
    return asked * fault.calls


def _asks_for(text: str, name: str) -> bool:
    if name == BUILTIN:
        return _SEARCH.search(text) is not None
    words = rf"\b(call|use)\s+(the\s+)?((tool|function)\s+)?[`'\"]?{re.escape(name)}\b"
    return re.search(words, text, re.IGNORECASE) is not None


def _call(prompt: Prompt, name: str, fault: Fault, number: int) -> Called:
    kind = "builtin_function" if name in prompt.tool_names("builtin_function") else "function"
    if fault.arguments is not None:
        arguments = fault.arguments
    elif name == BUILTIN:
        arguments = _search_arguments(prompt)
    else:
        arguments = json.dumps(_sample(_parameters(prompt, name)))
    return Called(
        id=f"{name.removeprefix('$')}:{number}", name=name, arguments=arguments, type=kind
    )


def _search_arguments(prompt: Prompt) -> str:
    """What the service's own search hands out: opaque, to be sent back unchanged."""
    found = {"search_result": {"search_id": sha(prompt.last_user)}, "usage": {"total_tokens": 1024}}
    return json.dumps(found)


def _parameters(prompt: Prompt, name: str) -> dict[str, Any]:
    for tool in prompt.tools:
        function = an_object(tool.get("function"))
        if function.get("name") == name:
            return an_object(function.get("parameters"))
    return {}


def _sample(schema: dict[str, Any]) -> dict[str, Any]:
    """Arguments that fit the schema: every required property, by its type."""
    properties = an_object(schema.get("properties"))
    required = [a_text(name) for name in a_list(schema.get("required"))]
    return {name: _sample_value(name, an_object(properties.get(name))) for name in required}


def _sample_value(name: str, schema: dict[str, Any]) -> object:
    choices = a_list(schema.get("enum"))
    if choices:
        return choices[0]
    samples: dict[str, Any] = {"integer": 1, "number": 0.5, "boolean": True, "array": []}
    if schema.get("type") == "object":
        return _sample(schema)
    return samples.get(a_text(schema.get("type")), f"simulated {name}")
