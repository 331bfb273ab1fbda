"""The routes of the daemon itself: its settings with where they came from, what is installed, and the end of its log."""

import sys
from functools import partial
from typing import Any, Final

import trio

from exai_trio import __version__
from exai_trio.settings.load import Loaded
from exai_trio.settings.printing import rows

from ..log_excerpt import lines_with
from ..route_table import Asked, Route
from ..watched_daemon import WatchedDaemon

_LINES: Final = 200
_UNKNOWN: Final = "unknown"


def daemon_routes(watched: WatchedDaemon) -> tuple[Route, ...]:
    return (
        Route("/api/settings", "texts", partial(_settings, watched)),
        Route("/api/logs", "texts", partial(_logs, watched)),
        Route("/api/jobs", "figures", partial(_jobs, watched)),
    )


async def _settings(watched: WatchedDaemon, _asked: Asked) -> dict[str, Any]:
    """Those in force, secrets masked; where each came from, as the files say it now. Cancelling leaves reading to its thread."""
    loaded = None
    if watched.reread is not None:
        loaded = await trio.to_thread.run_sync(watched.reread, abandon_on_cancel=True)
    versions = {"exai": __version__, "python": sys.version.split()[0], "trio": trio.__version__}
    return {"rows": _rows(watched, loaded), "versions": versions}


def _rows(watched: WatchedDaemon, loaded: Loaded | None) -> list[dict[str, Any]]:
    origins = dict(loaded.origins) if loaded else {}
    known = Loaded(config=watched.config, origins=_Origins(origins))
    now = {row.variable: row.value for row in rows(loaded)} if loaded else {}
    return [
        {
            "variable": row.variable,
            "value": row.value,
            "origin": row.origin,
            "needs_restart": row.variable in now and now[row.variable] != row.value,
        }
        for row in rows(known)
    ]


class _Origins(dict[str, str]):
    def __missing__(self, _field: str) -> str:
        return _UNKNOWN


async def _logs(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    """The newest lines that have the text `q` in them; the owner sees everybody's."""
    principal = None if asked.by.is_admin else asked.by.principal
    path = watched.config.logs / "ws_daemon.log"
    most = int(asked.number("limit", _LINES, least=1, most=1_000))
    return {"lines": await lines_with(path, asked.query.get("q", ""), most, principal)}


async def _jobs(watched: WatchedDaemon, _asked: Asked) -> dict[str, Any]:
    return {"rows": watched.jobs.jobs()}
