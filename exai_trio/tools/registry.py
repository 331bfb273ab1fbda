"""All tools, which of them are offered, and how they are listed. Tools themselves are in modules of their own.

Light to import: the shim builds its list from here when no daemon answers.
"""

import logging
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

import attrs

from exai_trio.config import Config, ToolProfile
from exai_trio.errors import ToolNotFoundError
from exai_trio.tools import (
    arguments,
    challenge,
    chat,
    health,
    listmodels,
    provider_capabilities,
    result,
    self_check,
    status,
    test_echo,
    threads,
    version,
)
from exai_trio.tools.declaration import Tool, Visibility
from exai_trio.wire.handles import RUNNING

log = logging.getLogger("exai.tools")

BUILT_IN: tuple[Tool, ...] = (
    chat.TOOL,
    status.TOOL,
    challenge.TOOL,
    listmodels.TOOL,
    version.TOOL,
    health.TOOL,
    self_check.TOOL,
    provider_capabilities.TOOL,
    test_echo.TOOL,
    result.TOOL,
)

# What our own shim calls; listed nowhere, and not to be disabled.
INTERNAL: tuple[Tool, ...] = (threads.TOOL,)

_PROFILES: Mapping[ToolProfile, tuple[Visibility, ...]] = {
    "lean": ("essential", "core"),
    "standard": ("essential", "core", "advanced"),
    "full": ("essential", "core", "advanced", "full"),
}

# What editors' configurations of the original project append to each name.
_SUFFIX = re.compile(r"[-_]EXAI[-_]WS(-VSCode[12])?$")


@attrs.frozen(kw_only=True)
class Registry:
    """The tools of one configuration. A tool that the profile hides can still be called; a disabled one is not there."""

    tools: tuple[Tool, ...]
    profile: ToolProfile = "standard"
    enabled: frozenset[str] = frozenset()
    disabled: frozenset[str] = frozenset()

    @classmethod
    def from_config(cls, config: Config, tools: tuple[Tool, ...] = BUILT_IN) -> "Registry":
        registry = cls(
            tools=tools,
            profile=config.tool_profile,
            enabled=config.enabled_tools,
            disabled=config.disabled_tools,
        )
        for name, nearest in registry.unknown_names():
            log.warning(
                "a tool of ENABLED_TOOLS or DISABLED_TOOLS does not exist",
                extra={"tool": name, "nearest": nearest},
            )
        return registry

    def get(self, name: str) -> Tool:
        """The tool of that name, with or without an editor's suffix. Raises: ToolNotFoundError with the nearest names."""
        plain = _SUFFIX.sub("", name)
        for tool in (*self.tools, *INTERNAL):
            if tool.name == plain and (plain not in self.disabled or tool in INTERNAL):
                return tool
        names = self.names()
        nearest = get_close_matches(plain, names, n=3) or list(names)
        raise ToolNotFoundError(
            f"There is no tool {plain[:80]!r}. Did you mean: {', '.join(nearest)}?",
            details={"nearest": nearest},
        )

    def names(self) -> tuple[str, ...]:
        """All that can be called."""
        return tuple(tool.name for tool in self.tools if tool.name not in self.disabled)

    def visible(self) -> tuple[Tool, ...]:
        """What is listed, in the order of declaration."""
        shown = _PROFILES[self.profile]
        return tuple(
            tool
            for tool in self.tools
            if tool.name not in self.disabled
            and (tool.visibility in shown or tool.name in self.enabled)
        )

    def listing(self) -> list[dict[str, Any]]:
        """The visible tools as list_tools_res and MCP's tools/list carry them; the same configuration gives the same bytes."""
        return [listed(tool) for tool in self.visible()]

    def unknown_names(self) -> list[tuple[str, str]]:
        """Names in ENABLED_TOOLS and DISABLED_TOOLS that no tool has, each with the nearest one or ""."""
        known = [tool.name for tool in self.tools]
        return [
            (name, _nearest(name, known))
            for name in sorted(self.enabled | self.disabled)
            if name not in known
        ]


def listed(tool: Tool) -> dict[str, Any]:
    """One entry of a tool list."""
    entry: dict[str, Any] = {
        "name": tool.name,
        "description": tool.description,
        "inputSchema": arguments.schema(tool),
    }
    if tool.output_schema is not None:
        entry["outputSchema"] = _or_handle(tool.output_schema)
    if tool.read_only:
        entry["annotations"] = {"readOnlyHint": True}
    return entry


def _or_handle(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of the tool's own answers and of the handle that a long call is answered with: status "running"."""
    properties = dict(schema.get("properties", {}))
    status = properties.get("status", {})
    if "enum" in status:
        properties["status"] = {**status, "enum": [*status["enum"], RUNNING]}
    return {**schema, "properties": properties, "required": ["status"]}


def _nearest(name: str, known: Iterable[str]) -> str:
    return next(iter(get_close_matches(name, list(known), n=1)), "")
