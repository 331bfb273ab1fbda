"""What calls are allowed before their clients say anything: how long, which directories, how many a second."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from exai_trio.config import Config
from exai_trio.principals import OWNER, principal_of
from exai_trio.resilience.rate import Rate
from exai_trio.tools.base import Tool

REQUESTS: Final = Rate(per_s=5_000, burst=20_000)  # of one session: what the daemon can do at all


def longest(config: Config, tool: Tool) -> float:
    """Seconds that a call of this tool may take."""
    if tool.kind == "workflow":
        return config.workflow_tool_timeout_secs
    return config.simple_tool_timeout_secs


def setting_of(tool: Tool) -> str:
    """Where that is set."""
    return f"{tool.kind.upper()}_TOOL_TIMEOUT_SECS"


def longest_stream(config: Config) -> float:
    """Seconds for which a model may answer, whichever it is."""
    return max(config.glm_stream_timeout, config.kimi_stream_timeout)


def allowed_roots(config: Config, principal: str, named: Iterable[str] = ()) -> tuple[Path, ...]:
    """The directories that a client's tools may read: the setting if there is one, else what the client named. Only the home's
    owner may name any: another is a person whose files these need not be."""
    if config.allowed_roots or principal_of(principal) != OWNER:
        return config.allowed_roots
    return tuple(Path(root) for root in named if Path(root).is_absolute())
