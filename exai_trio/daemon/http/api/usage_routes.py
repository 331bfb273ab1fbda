"""The routes of usage: calls, tokens and costs, by what is asked for; and what counts of one principal's quota."""

from functools import partial
from typing import Any, Final

from exai_trio.errors import ArgumentError, NotFoundError, UnauthorizedError
from exai_trio.principals import principal_of
from exai_trio.storage.watching.usage_sums import KEYS, usage_rows

from ..route_table import Asked, Route
from ..watched_daemon import WatchedDaemon

_DAY_S: Final = 86_400.0
_OF_PERSONS: Final = frozenset({"principal", "project"})
_MOST_S: Final = 2.0**53


def usage_routes(watched: WatchedDaemon) -> tuple[Route, ...]:
    return (
        Route("/api/usage", "figures", partial(_usage, watched)),
        Route("/api/budgets", "texts", partial(_budgets, watched)),
        Route("/api/usage/{id}", "texts", partial(_of_one, watched)),
    )


async def _usage(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    """Rows by the keys of `by`, since a time; without a word of whose or where to who has not logged in. Raises ExaiError."""
    by = tuple(filter(None, asked.query.get("by", "model,tool").split(",")))
    if not by or not set(by) <= set(KEYS):
        raise ArgumentError(f"by must be some of {', '.join(KEYS)}", details={"field": "by"})
    if set(by) & _OF_PERSONS and not asked.by.is_admin:
        raise UnauthorizedError("only the home's owner sees usage by principal or project")
    since = asked.number("since", watched.now() - 7 * _DAY_S, least=0, most=_MOST_S)
    used = await watched.history.used_since(since)
    return {"by": by, "since": since, "rows": usage_rows(used, by)}


async def _budgets(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    """What was used today of what may be, and of quotas; one's own, and for administration everybody's. Raises StorageError."""
    quotas = watched.sessions.environment.quotas
    if quotas is None:
        return {"rows": []}
    await quotas.load()
    found = [b for b in quotas.budgets() if not b.principal or asked.by.may_see(b.principal)]
    return {"rows": [{"principal": b.principal or None, **b.told()} for b in found]}


async def _of_one(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    """The quota of a principal, what counts of it now, and what is left. Raises ExaiError."""
    who, quotas = principal_of(asked.path["id"]), watched.sessions.environment.quotas
    if quotas is None or not asked.by.may_see(who):
        raise NotFoundError("there is no principal of this name, or it is not you")
    return {"principal": who, **(await quotas.use(who)).told()}
