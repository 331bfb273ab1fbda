"""The route of the access log: who came, who was refused and who changed what, for whoever sees all."""

from functools import partial
from pathlib import Path
from typing import Any

import trio

from exai_trio.access.access_log import is_of, newest_lines

from ..route_table import Asked, Route
from ..watched_daemon import WatchedDaemon


def access_routes(watched: WatchedDaemon) -> tuple[Route, ...]:
    return (Route("/api/access", "administration", partial(_access, watched)),)


async def _access(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    """The newest lines, newest first; `of` names who. Raises ArgumentError for a `limit` that is none. Cancelling leaves reading to its thread."""
    read = partial(_newest, watched.config.logs, asked.query.get("of") or None)
    lines = await trio.to_thread.run_sync(read, abandon_on_cancel=True)
    return {"rows": lines[: -asked.limit - 1 : -1]}


def _newest(logs: Path, who: str | None) -> list[dict[str, Any]]:
    return [line for line in newest_lines(logs) if is_of(line, who)]
