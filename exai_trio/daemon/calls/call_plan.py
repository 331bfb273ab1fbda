"""What a request would be as a call, or why it cannot be one. Pure: no trio, no clock, no I/O."""

import math
from typing import Any

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.errors import ExaiError
from exai_trio.tools.arguments import parse
from exai_trio.tools.base import Answer, Caller, Services, Tool
from exai_trio.tools.registry import Registry
from exai_trio.wire.messages import CallTool

from .limits import longest, setting_of


@structs.frozen(kw_only=True)
class Plan:
    """`timeout` and `handle_after` are seconds from the call's beginning; `limited_by` says where the timeout is set. With a
    `why_not` it cannot run here, and that is its outcome."""

    tool: Tool
    arguments: Any = None
    timeout: float = math.inf
    limited_by: str = ""
    handle_after: float = math.inf
    why_not: ExaiError | None = None


def plan(request: CallTool, config: Config, offered: Registry) -> Plan:
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


def impossible(request: CallTool, why_not: ExaiError) -> Plan:
    """A call that an earlier daemon accepted, and that is none for this one."""
    tool = Tool(name=request.name, description="", arguments=object, run=_never, repeatable=False)
    return Plan(tool=tool, why_not=why_not)


async def _never(_arguments: object, _caller: Caller, _services: Services) -> Answer:
    raise NotImplementedError
