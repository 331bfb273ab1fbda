"""What a request would be as a call, or why it cannot be one. Pure: no trio, no clock, no I/O."""

import math
from typing import Any

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.errors import ExaiError
from exai_trio.tools.arguments import parse
from exai_trio.tools.base import Answer, Caller, Services, Tool
from exai_trio.tools.live_registry import LiveRegistry
from exai_trio.wire.messages import CallTool

from .limits import longest, setting_of


@structs.frozen(kw_only=True)
class Plan:
    """`timeout` and `handle_after` are seconds from the call's beginning; `limited_by` says where the timeout is set."""

    tool: Tool
    arguments: Any = None
    timeout: float = math.inf
    limited_by: str = ""
    handle_after: float = math.inf


def plan(request: CallTool, config: Config, offered: LiveRegistry) -> Plan:
    """Raises ExaiError if there is no such tool, or the arguments are not its own."""
    tool = offered.get(request.name)
    most = longest(config, tool)
    is_theirs = (request.timeout_s or most) < most
    asked = (config.handle_after_s, request.handle_after_s)
    return Plan(
        tool=tool,
        arguments=parse(tool, request.arguments),
        timeout=min(most, request.timeout_s or most),
        limited_by="timeout_s, which its client gave" if is_theirs else setting_of(tool),
        handle_after=min((seconds for seconds in asked if seconds), default=math.inf),
    )


def impossible(request: CallTool, why: ExaiError) -> Plan:
    """A call that an earlier daemon accepted, and that is none for this one: its outcome is `why`."""

    async def run(_arguments: object, _caller: Caller, _services: Services) -> Answer:  # noqa: ASYNC124 - a tool's form
        raise why

    return Plan(
        tool=Tool(name=request.name, description="", arguments=object, run=run, repeatable=False)
    )
