"""All tools, which of them are offered, and how they are listed.

Tools themselves are in modules of their own. Light to import: the shim builds its list from here when no daemon
answers.
"""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from exai_trio import structs
from exai_trio.config import Config, ToolProfile
from exai_trio.errors import ToolNotFoundError
from exai_trio.tools import arguments, schemas, statuses
from exai_trio.tools.base import Tool, Visibility
from exai_trio.tools.diagnostics import (
    activity,
    health,
    listmodels,
    provider_capabilities,
    self_check,
    status,
    test_echo,
    toolcall_log_tail,
    version,
)
from exai_trio.tools.files import (
    glm_upload_file,
    kimi_chat_with_files,
    kimi_manage_files,
    kimi_upload_files,
    smart_file_download,
    smart_file_query,
)
from exai_trio.tools.general import challenge, chat, result, threads
from exai_trio.tools.statuses import Status
from exai_trio.tools.vendor import (
    glm_payload_preview,
    glm_web_search,
    kimi_capture_headers,
    kimi_chat_with_tools,
    kimi_intent_analysis,
)
from exai_trio.tools.workflow import consensus, docgen, investigations, planner, precommit, tracer

log = logging.getLogger("exai.tools")

BUILT_IN: tuple[Tool, ...] = (
    chat.TOOL,
    status.TOOL,
    planner.TOOL,
    *investigations.TOOLS,
    precommit.TOOL,
    consensus.TOOL,
    tracer.TOOL,
    docgen.TOOL,
    challenge.TOOL,
    listmodels.TOOL,
    version.TOOL,
    health.TOOL,
    self_check.TOOL,
    provider_capabilities.TOOL,
    test_echo.TOOL,
    activity.TOOL,
    toolcall_log_tail.TOOL,
    kimi_upload_files.TOOL,
    kimi_chat_with_files.TOOL,
    kimi_manage_files.TOOL,
    kimi_intent_analysis.TOOL,
    kimi_capture_headers.TOOL,
    kimi_chat_with_tools.TOOL,
    glm_upload_file.TOOL,
    glm_web_search.TOOL,
    glm_payload_preview.TOOL,
    smart_file_query.TOOL,
    smart_file_download.TOOL,
    result.TOOL,
)

# What our own shim calls; listed nowhere, and not to be disabled.
INTERNAL: tuple[Tool, ...] = (threads.TOOL,)

_PROFILES: Mapping[ToolProfile, tuple[Visibility, ...]] = {
    "lean": ("essential", "core"),
    "standard": ("essential", "core", "advanced"),
    "full": ("essential", "core", "advanced", "full"),
}

_MOST_NAMED = 10  # tools, where a name is like none of them

# What editors' configurations of the original project append to each name.
_SUFFIX = re.compile(r"[-_]EXAI[-_]WS(-VSCode[12])?$")


@structs.define(kw_only=True, eq=False)
class Registry:
    """The tools of one configuration, and which are offered now. A tool that the profile hides can still be called; a disabled one is not
    there. A call that runs keeps its tool, whatever is switched meanwhile."""

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

    @property
    def offered(self) -> object:
        """Equal as long as the same is listed."""
        return self.profile, self.enabled, self.disabled

    def switch(self, config: Config) -> bool:
        """Offer what this configuration says. True if another list is told from now on."""
        before, wanted = self.listing(), Registry.from_config(config, self.tools)
        self.profile, self.enabled, self.disabled = wanted.profile, wanted.enabled, wanted.disabled
        return self.listing() != before

    def get(self, name: str) -> Tool:
        """The tool of that name, with or without an editor's suffix. Raises: ToolNotFoundError with the nearest names."""
        if len(name) > arguments.LONGEST_NAME:
            raise _no_tool(name, self.names()[:_MOST_NAMED])
        plain = _SUFFIX.sub("", name)
        for tool in (*self.tools, *INTERNAL):
            if tool.name == plain and (plain not in self.disabled or tool in INTERNAL):
                return tool
        names = self.names()
        raise _no_tool(plain, get_close_matches(plain, names, n=3) or names[:_MOST_NAMED])

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
            and (self._is_shown(tool, shown) or tool.name in self.enabled)
        )

    def _is_shown(self, tool: Tool, shown: tuple[Visibility, ...]) -> bool:
        return tool.visibility in shown and (tool.deprecated is None or self.profile == "full")

    def listing(self) -> list[dict[str, Any]]:
        """The visible tools as list_tools_res and MCP's tools/list carry them; the same configuration gives the same bytes."""
        return [listed(tool, short=self.profile != "full") for tool in self.visible()]

    def unknown_names(self) -> list[tuple[str, str]]:
        """Names in ENABLED_TOOLS and DISABLED_TOOLS that no tool has, each with the nearest one or ""."""
        known = [tool.name for tool in self.tools]
        return [
            (name, _nearest(name, known))
            for name in sorted(self.enabled | self.disabled)
            if name not in known
        ]


def listed(tool: Tool, *, short: bool = False) -> dict[str, Any]:
    """One entry of a tool list; a `short` one costs an editor fewer tokens and leaves out what few callers need."""
    schema = arguments.schema(tool)
    entry: dict[str, Any] = {
        "name": tool.name,
        "description": description(tool),
        "inputSchema": schemas.short(schema, tool.seldom) if short else schema,
        "outputSchema": _or_handle(tool, short=short),
    }
    if tool.read_only:
        entry["annotations"] = {"readOnlyHint": True}
    return entry


def description(tool: Tool) -> str:
    """What is said of it, and first that it is deprecated, if it is."""
    gone = tool.deprecated
    return f"{gone.said_of(tool.name)} {tool.description}" if gone else tool.description


def _or_handle(tool: Tool, *, short: bool) -> dict[str, Any]:
    """The schema of the tool's own answers and of the handle that a long call is answered with: status "running".

    A short one has the statuses of workflows only, which their callers act on.
    """
    own = tool.output_schema
    properties = dict(own.get("properties", {}))
    if short and tool.kind == "simple":
        return {"type": "object"}
    if "status" in properties:
        said = map(Status, properties["status"]["enum"])
        properties["status"] = statuses.schema(dict.fromkeys([*said, Status.RUNNING]))
    if short:
        return {"type": "object", "properties": properties}
    return {**own, "properties": properties, "required": ["status"]}


def _no_tool(name: str, nearest: Sequence[str]) -> ToolNotFoundError:
    return ToolNotFoundError(
        f"There is no tool {name[:80]!r}. Did you mean: {', '.join(nearest)}?",
        details={"nearest": list(nearest)},
    )


def _nearest(name: str, known: Iterable[str]) -> str:
    return next(iter(get_close_matches(name, list(known), n=1)), "")
