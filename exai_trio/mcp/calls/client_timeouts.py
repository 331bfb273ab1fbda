"""How long clients wait for a tool before they give it up, as far as it is known, and when we answer for that. Pure: no clock, no I/O.

A row that is out of date costs its users answers: look at the newest source before changing one, and write down when and where.
"""

import math
from functools import lru_cache
from typing import Final

from exai_trio import structs

_MARGIN: Final = 0.05
_LEAST_MARGIN_S: Final = 2.0


@structs.frozen
class Known:
    """Clients whose name in clientInfo begins with `name` (in lower case) wait for `waits_s` seconds, whatever progress they hear.
    `seen` is the month in which `source` said so, or in which it was tried."""

    name: str
    waits_s: float
    seen: str
    source: str


_SDK = "the TypeScript SDK's 60 s; tried under this name: cut at 60.0 s"

KNOWN: Final = (
    Known("claude-code", math.inf, "2026-11", "tried with 2.1.329; MCP_TOOL_TIMEOUT, 28 h if unset"),
    Known("claude-ai", 60.0, "2026-11", "anthropics/claude-code#22542: fixed"),
    Known("claude desktop", 60.0, "2026-11", "anthropics/claude-code#22542: fixed"),
    Known("codex", 300.0, "2026-11", "tried with 0.169.0: 130 s passed, cut at 300.0 s; tool_timeout_sec"),
    Known("github-copilot", 60.0, "2026-11", "github/copilot-cli#4731"),
    Known("cursor", 60.0, "2026-11", "cursor/cursor#3510: 5 minutes, often 60 s"),
    Known("gemini-cli", 600.0, "2026-11", "gemini-cli docs/tools/mcp-server.md: timeout, 600,000 ms if unset"),
    Known("qwen", 600.0, "2026-07", "QwenLM/qwen-code#574: 10 minutes if unset"),
    Known("zed", 60.0, "2025-12", "zed-industries/zed#45378: context_server_timeout, 60 s if unset"),
    Known("cline", 60.0, "2026-11", _SDK),
    Known("roo", 60.0, "2026-11", _SDK),
    Known("kimi", 60.0, "2026-11", _SDK),
)  # fmt: skip

# The TypeScript SDK's default is 60 s, and progress extends it only for who asked for progress.
UNKNOWN_WITHOUT_PROGRESS_S: Final = 50.0


def waits_s(client: str, *, hears_progress: bool) -> float:
    """Seconds; math.inf for who waits longer than any call of ours runs."""
    name = client.casefold()
    found = (known.waits_s for known in KNOWN if name.startswith(known.name))
    return next(found, math.inf if hears_progress else UNKNOWN_WITHOUT_PROGRESS_S)


@structs.frozen(kw_only=True)
class Budget:
    """`handle_s` is when the daemon is to give a handle, None to leave that to it; `answer_s` is when we answer ourselves,
    math.inf for whoever waits as long as it takes."""

    handle_s: float | None
    answer_s: float


@lru_cache(64)  # of the editor's name, for each call
def budget_of(client: str, *, hears_progress: bool = True, told_s: float = 0.0) -> Budget:
    """The budget of a client, less a margin for the way back; the daemon gets the margin twice. `told_s` is what the user says
    that it waits (EXAI_CLIENT_TIMEOUT_S), 0 for what its name tells."""
    seconds = told_s or waits_s(client, hears_progress=hears_progress)
    if seconds == math.inf:
        return Budget(handle_s=None, answer_s=math.inf)
    margin = min(max(_LEAST_MARGIN_S, seconds * _MARGIN), seconds / 4)
    return Budget(handle_s=seconds - 2 * margin, answer_s=seconds - margin)
