"""The routes of conversations: a list with a search, one to read, its name, a copy, an export and its end."""

import uuid
from functools import partial
from typing import Any, Final

import attrs

from exai_trio.errors import ArgumentError, NotFoundError
from exai_trio.observability.json_bytes import json_bytes
from exai_trio.observability.times import rfc3339
from exai_trio.storage.base import Conversation, Summary, Turn

from ..route_table import Answer, Asked, Content, Route
from ..watched_daemon import WatchedDaemon

_HOUR_S: Final = 3600.0
_MOST_LISTED: Final = 5_000  # that a search looks at
_SHOWN: Final = 100_000  # characters of a turn; an export has the whole


def conversation_routes(watched: WatchedDaemon) -> tuple[Route, ...]:
    return (
        Route("/api/conversations", "texts", partial(_list, watched)),
        Route("/api/conversations/{id}", "texts", partial(_read, watched)),
        Route("/api/conversations/{id}/export", "texts", partial(_export, watched)),
        _change("/api/conversations/{id}/name", partial(_name, watched)),
        _change("/api/conversations/{id}/fork", partial(_fork, watched)),
        _change("/api/conversations/{id}/delete", partial(_delete, watched)),
    )


def _change(path: str, answer: Answer) -> Route:
    return Route(path, "changes", answer, "POST")


async def _list(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    """One's own, the one that was used last first; `q` is looked for in the id, the name and the opening. Raises ExaiError."""
    threads = watched.services.threads.of(asked.by.principal)
    found = await threads.recent(watched.now(), _MOST_LISTED)
    wanted = asked.query.get("q", "").casefold()
    rows = [each for each in found if wanted in _searched(each)]
    after = asked.query.get("before", "")
    ids = [each.id for each in rows]
    begin = ids.index(after) + 1 if after in ids else 0
    page = rows[begin : begin + asked.limit]
    more = begin + asked.limit < len(rows)
    return {"rows": [_summary(each) for each in page], "next": page[-1].id if more else None}


def _searched(found: Summary) -> str:
    return f"{found.id} {found.name} {found.opening} {found.model} {found.tool}".casefold()


def _summary(found: Summary) -> dict[str, Any]:
    times = {
        name: rfc3339(getattr(found, name)) for name in ("created_at", "expires_at", "last_at")
    }
    return attrs.asdict(found) | times


async def _read(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    found = await _loaded(watched, asked)
    return _told(found, _SHOWN) | {"notice": found.notice}


async def _export(watched: WatchedDaemon, asked: Asked) -> Content:
    found = await _loaded(watched, asked)
    named = {"content-disposition": f'attachment; filename="conversation-{found.id[:8]}.json"'}
    return Content(body=json_bytes(_told(found)), headers=named)


def _told(found: Conversation, most: int | None = None) -> dict[str, Any]:
    return {
        "id": found.id,
        "created_at": rfc3339(found.created_at),
        "expires_at": rfc3339(found.expires_at),
        "turns": [_turn(turn, most) for turn in found.turns],
    }


def _turn(turn: Turn, most: int | None) -> dict[str, Any]:
    return {
        "role": turn.role,
        "text": turn.text[:most],
        "cut": most is not None and len(turn.text) > most,
        "tool": turn.tool,
        "model": turn.model,
        "provider": turn.provider,
        "at": rfc3339(turn.at),
        **({} if most else dict(turn.extra)),
    }


async def _loaded(watched: WatchedDaemon, asked: Asked) -> Conversation:
    """Raises NotFoundError, also for somebody else's."""
    store = watched.services.conversations.of(asked.by.principal)
    found = await store.load(asked.path["id"], watched.now())
    if found is None:
        raise _unknown()
    return found


async def _name(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    given = asked.body.get("name")
    if not isinstance(given, str) or len(given) > _LONGEST_NAME:
        raise ArgumentError(f"name must be a text of at most {_LONGEST_NAME} characters")
    threads = watched.services.threads.of(asked.by.principal)
    if not await threads.name(asked.path["id"], given.strip(), watched.now()):
        raise ArgumentError("there is no such conversation, or another one has that name")
    return {"id": asked.path["id"], "name": given.strip()}


_LONGEST_NAME: Final = 200


async def _fork(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    now, new_id = watched.now(), str(uuid.uuid4())
    ends = now + watched.config.conversation_timeout_hours * _HOUR_S
    threads = watched.services.threads.of(asked.by.principal)
    if not await threads.fork(asked.path["id"], new_id, now, ends):
        raise _unknown()
    return {"id": new_id}


async def _delete(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    threads = watched.services.threads.of(asked.by.principal)
    if not await threads.delete(asked.path["id"], watched.now()):
        raise _unknown()
    return {"deleted": asked.path["id"]}


def _unknown() -> NotFoundError:
    return NotFoundError("there is no conversation with this id, or it is not yours")
