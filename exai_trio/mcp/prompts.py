"""One MCP prompt for each listed tool, made from its schema alone. Pure: no trio, no clock, no I/O.

A person fills in what the tool is about; numbers of steps, findings and the like are left to the agent.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from .params import BadParams

_OPTIONAL: Final = ("model", "continuation_id")
_AGENTS_OWN: Final = frozenset({"findings"})
_tools = msgspec.json.Decoder(list[dict[str, Any]])
Entry = dict[str, Any]


@lru_cache(maxsize=2)  # audit: limit, because there is one for each of two lists
def _prompts(tools: bytes) -> dict[str, Entry]:
    return {tool["name"]: _prompt(tool) for tool in _tools.decode(tools)}


def _prompt(tool: Mapping[str, Any]) -> Entry:
    schema: dict[str, Any] = tool.get("inputSchema") or {}
    properties: dict[str, Any] = schema.get("properties") or {}
    wanted = [name for name in schema.get("required", ()) if _is_for_people(name, properties)]
    optional = [name for name in _OPTIONAL if name in properties and name not in wanted]
    arguments = [_argument(name, properties, required=True) for name in wanted]
    arguments += [_argument(name, properties, required=False) for name in optional]
    entry: Entry = {"name": tool["name"], "arguments": arguments}
    if tool.get("description"):
        entry["description"] = tool["description"]
    return entry


def _is_for_people(name: str, properties: Mapping[str, Any]) -> bool:
    kind = properties.get(name, {}).get("type")
    in_steps = name in _AGENTS_OWN and "step_number" in properties
    return kind in {"string", "array"} and not in_steps


def _argument(name: str, properties: Mapping[str, Any], *, required: bool) -> Entry:
    argument: Entry = {"name": name, "required": required}
    schema = properties[name]
    choice = ", ".join(map(str, schema.get("enum", ())))
    about = schema.get("description") or (choice and f"One of {choice}")
    return {**argument, "description": about} if about else argument


def prompts(tools: msgspec.Raw) -> list[Entry]:
    """The prompts in the order of their tools."""
    return list(_prompts(bytes(tools)).values())


def filled(tools: msgspec.Raw, name: object, arguments: Mapping[str, str]) -> dict[str, Any]:
    """The result of prompts/get. Raises BadParams naming what is missing or unknown."""
    prompt = _prompts(bytes(tools)).get(name) if isinstance(name, str) else None
    if prompt is None:
        raise BadParams(f"there is no prompt {str(name)[:100]!r}")
    known = {argument["name"]: argument["required"] for argument in prompt["arguments"]}
    missing = [each for each in known if known[each] and not arguments.get(each, "").strip()]
    unknown = [each[:100] for each in arguments if each not in known]
    if missing or unknown:
        wrong = f"lacks {', '.join(missing)}" if missing else f"has no {', '.join(unknown)}"
        raise BadParams(f"the prompt {name} {wrong}")
    given = [f"{each}: {arguments[each]}" for each in known if arguments.get(each, "").strip()]
    text = "\n".join([_opening(str(name), known), "", *given]).rstrip()
    message = {"role": "user", "content": {"type": "text", "text": text}}
    return {"description": prompt.get("description", ""), "messages": [message]}


def _opening(name: str, known: Mapping[str, bool]) -> str:
    if "step" in known:
        return f"Use the EXAI tool `{name}`: begin with step_number 1 and go on as its answers say."
    return f"Use the EXAI tool `{name}` and show what it answers."
