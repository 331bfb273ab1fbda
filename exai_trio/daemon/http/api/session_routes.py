"""The routes of sessions: who is there or away, what is on the way to them, and the end of one."""

from functools import partial
from typing import Any

import trio

from exai_trio.errors import NotFoundError

from ...sessions.session import Session
from ..route_table import Asked, Route
from ..watched_daemon import WatchedDaemon


def session_routes(watched: WatchedDaemon) -> tuple[Route, ...]:
    return (
        Route("/api/sessions", "texts", partial(_list, watched)),
        Route("/api/sessions/{id}/end", "changes", partial(_end, watched), "POST"),
    )


async def _list(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    """The newest first; after the one whose id is `before`. Raises ArgumentError."""
    seen = [s for s in watched.sessions.table.values() if asked.by.may_see(s.principal)]
    newest = sorted(seen, key=lambda s: watched.book.opened_at(s.id), reverse=True)
    after = asked.query.get("before", "")
    ids = [session.id for session in newest]
    begin = ids.index(after) + 1 if after in ids else 0
    page = newest[begin : begin + asked.limit]
    more = begin + asked.limit < len(newest)
    return {
        "rows": [_row(watched, session) for session in page],
        "next": page[-1].id if more else None,
    }


def _row(watched: WatchedDaemon, session: Session) -> dict[str, Any]:
    return {
        "id": session.id,
        "principal": session.principal,
        **watched.book.told(session.id),
        "beat_s": None
        if session.beat_at is None
        else round(trio.current_time() - session.beat_at, 1),
        "calls": len(session.calls.table),
        "unacked_frames": session.rules.unacked_frames,
        "held_bytes": session.held_bytes,
        "roots": [str(root) for root in session.roots],
    }


async def _end(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    """Its calls end as cancelled and its client is told; who comes back finds what the journal has, or begins anew. Raises NotFoundError."""
    session = watched.sessions.table.get(asked.path["id"])
    if session is None or not asked.by.may_see(session.principal):
        raise NotFoundError("no session with this id is there, or it is not yours")
    session.dismiss("the session was ended from the dashboard")
    return {"ended": session.id}
