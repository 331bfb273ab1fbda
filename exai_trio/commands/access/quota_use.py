"""What `exai usage --of NAME` says: a principal's quota, what counts of it now, and what is left.

A daemon that runs knows; of one that does not, its home does.
"""

from functools import partial
from typing import Any, Final
from urllib.parse import quote

import attrs
import trio

from exai_trio.access.quotas import DAY_S, QuotaUse
from exai_trio.access.redis_registry import RedisRegistry
from exai_trio.access.token_registry import Quota, QuotasOfTokens, TokenRegistry
from exai_trio.commands.access.token_command import open_registry
from exai_trio.commands.console import Console, columns
from exai_trio.commands.watching.open_home import in_home, within
from exai_trio.commands.watching.pages_client import asked_of_pages
from exai_trio.config import Config
from exai_trio.errors import ServiceUnavailableError
from exai_trio.principals import SYNONYMS, names_of, principal_of
from exai_trio.storage.sqlite.calls_table import SqliteCalls
from exai_trio.storage.sqlite.store import SqliteStore
from exai_trio.system.clock import unix_now
from exai_trio.transport.websocket import NotListening

_NAMES: Final = {
    "calls_per_minute": "calls in the last minute",
    "concurrent": "calls that run",
    "tokens_per_day": "tokens today (UTC)",
}


def show(config: Config, console: Console, name: str, *, as_json: bool) -> int:
    """Raises ExaiError."""
    is_named = name in SYNONYMS or name.startswith("jwt:")
    principal = principal_of(name if is_named else f"jwt:{name}")
    told = trio.run(_use, config, principal)
    if as_json:
        console.say_json(told)
        return 0
    head = [("", "used", "quota", "left")] if console.screen else []
    console.say(columns([*head, *(_row(told, name) for name in _NAMES)], console.width))
    return 0


def _row(told: dict[str, Any], name: str) -> tuple[str, ...]:
    used, most, left = (told[part].get(name) for part in ("used", "quota", "left"))
    shown = ("-" if value is None else f"{value:,}" for value in (used, most or None, left))
    return (_NAMES[name], *shown)


async def _use(config: Config, principal: str) -> dict[str, Any]:
    """Raises ExaiError. Cancelling closes what is open."""
    try:
        return await asked_of_pages(config, f"/api/usage/{quote(principal, safe='')}")
    except NotListening:
        use = await _kept(config, principal)
    except ServiceUnavailableError:  # a daemon without pages may run, and only that or Redis knows
        kept = await _kept(config, principal)
        use = attrs.evolve(kept, calls=kept.calls if config.redis_url else None, running=None)
    return {"principal": principal, **use.told()}


async def _kept(config: Config, principal: str) -> QuotaUse:
    """What the next daemon of this home would count. Raises ExaiError. Cancelling closes what is open."""
    now = unix_now()
    since = now // DAY_S * DAY_S

    async def tokens(store: SqliteStore) -> int:
        by_name = await SqliteCalls(store).tokens_since(since)
        return sum(by_name.get(name, 0) for name in names_of(principal))

    counting = partial(_registered, principal=principal, now=now)
    quota, calls = await within(open_registry(config), counting)
    spent = await in_home(config, tokens)
    return QuotaUse(principal=principal, quota=quota, calls=calls, running=0, tokens=spent)


async def _registered(registry: TokenRegistry, principal: str, now: float) -> tuple[Quota, int]:
    """The quota, and the calls that all daemons together have counted. Raises StorageError. Cancelling changes nothing."""
    quotas, quota = QuotasOfTokens(), Quota()
    for token in (await registry.changes(0)).tokens:
        if f"jwt:{token.subject}" == principal:
            quota = quotas.take(token, now)
    counted = await registry.counted(principal) if isinstance(registry, RedisRegistry) else 0
    return quota, counted
