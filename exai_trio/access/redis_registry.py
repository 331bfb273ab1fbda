"""The registry of tokens, and the rates of calls, that all daemons of a deployment share in Redis."""

import secrets
from collections.abc import Mapping
from typing import Any, Final, cast

import attrs

from exai_trio import structs

from . import redis_scripts as lua
from .redis_connection import RedisConnection
from .token_registry import Changes, IssuedToken, Quota, Standing

_KEPT_S: Final = 7 * 86400.0  # after a token's end
_TIMES: Final = ("issued_at", "ends", "revoked_at", "used_at")
_LIMITS: Final = ("calls_per_minute", "concurrent", "tokens_per_day")


@structs.frozen
class RedisRegistry:
    """TokenRegistry and SharedRates behind a connection. Times are compared by whoever asks: Redis keeps them as text."""

    _redis: RedisConnection

    @property
    def _changing(self) -> list[str]:
        return [self._redis.key("change"), self._redis.key("changes")]

    def _entry(self, token_id: str) -> str:
        return self._redis.key("token", token_id)

    async def add(self, token: IssuedToken) -> None:
        keys = [
            *self._changing,
            self._entry(token.id),
            self._redis.key("tokens"),
            self._redis.key("of", token.subject),
        ]
        life = max(1, int(token.ends - token.issued_at + _KEPT_S))
        await self._redis.run(lua.ADD, keys, [token.id, life, token.ends, *_fields(token)])

    async def look_up(self, token_id: str, subject: str) -> Standing:
        keys = [self._entry(token_id), self._redis.key("cut", subject)]
        entry, cut = await self._redis.run(lua.LOOK_UP, keys, [])
        return Standing(_token(entry), None if cut is None else float(cut))

    async def all(self) -> tuple[IssuedToken, ...]:
        found = await self._redis.run(lua.ALL, [self._redis.key("tokens")], [self._entry("")])
        tokens = [token for entry in found if (token := _token(entry)) is not None]
        return tuple(sorted(tokens, key=lambda one: (one.issued_at, one.id)))

    async def revoke(self, token_id: str, at: float) -> bool:
        keys = [*self._changing, self._entry(token_id)]
        return bool(await self._redis.run(lua.REVOKE, keys, [token_id, at]))

    async def revoke_all(self, subject: str, at: float, until: float) -> int:
        keys = [*self._changing, self._redis.key("of", subject), self._redis.key("cut", subject)]
        life = max(1, int(until - at))
        values: list[str | float] = [subject, at, life, self._entry("")]
        return int(await self._redis.run(lua.REVOKE_ALL, keys, values))

    async def set_quota(self, token_id: str, quota: Quota) -> bool:
        keys = [*self._changing, self._entry(token_id)]
        limits = _limits(quota)
        return bool(await self._redis.run(lua.CHANGE, keys, [token_id, *limits]))

    async def note_uses(self, uses: Mapping[str, tuple[float, str]]) -> None:
        keys = [self._entry(token_id) for token_id in uses]
        values: list[str | float] = []
        for at, origin in uses.values():
            values += [at, origin]
        await self._redis.run(lua.NOTE_USES, keys, values, patient=True)

    async def changes(self, since: int) -> Changes:
        values: list[str | float] = [since, self._entry(""), self._redis.key("cut", "")]
        number, *found = await self._redis.run(lua.CHANGES, self._changing, values, patient=True)
        tokens = [_token(entry) for name, entry in found if name.startswith("t")]
        cuts = {name[1:]: float(cut) for name, cut in found if name.startswith("s") and cut}
        kept = tuple(token for token in tokens if token is not None)
        return Changes(number=int(number), tokens=kept, subjects=cuts)

    async def sweep(self, before: float) -> int:
        """Entries and cuts go by themselves; here their names do."""
        old = [token for token in await self.all() if token.ends < before]
        keys = [
            self._redis.key("tokens"),
            *(
                key
                for token in old
                for key in (self._entry(token.id), self._redis.key("of", token.subject))
            ),
        ]
        await self._redis.run(_SWEEP, keys, [before])
        return len(old)

    async def wait_s(self, principal: str, most: int) -> float:
        name = secrets.token_hex(8)
        left = await self._redis.run(lua.RATE, [self._redis.key("rate", principal)], [most, name])
        return int(left) / 1000

    async def counted(self, principal: str) -> int:
        found = await self._redis.run(lua.RATE_NOW, [self._redis.key("rate", principal)], [])
        return int(found)


_SWEEP: Final = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[1])
for at = 2, #KEYS, 2 do
    redis.call('DEL', KEYS[at])
    redis.call('ZREMRANGEBYSCORE', KEYS[at + 1], '-inf', '(' .. ARGV[1])
end
return 1
"""


def _fields(token: IssuedToken) -> list[str | float]:
    """Names and values, those that are None left out."""
    plain = attrs.asdict(token, recurse=False, filter=lambda field, _: field.name != "quota")
    plain |= attrs.asdict(token.quota)
    return [text for name, value in plain.items() if value is not None for text in (name, value)]


def _limits(quota: Quota) -> list[str | float]:
    """Names and values."""
    values: list[str | float] = []
    for name in _LIMITS:
        values += [name, int(getattr(quota, name))]
    return values


def _token(entry: Any) -> IssuedToken | None:
    """An entry as Redis tells it: names and values in turn, or as a table."""
    told = _table(entry)
    if not told:
        return None
    quota = Quota(**{name: int(told.pop(name)) for name in _LIMITS})
    for name in _TIMES:
        if name in told:
            told[name] = float(told[name])
    return IssuedToken(**told, quota=quota)


def _table(entry: Any) -> dict[str, Any]:
    if isinstance(entry, dict):
        return dict(cast("dict[str, Any]", entry))
    return dict(zip(entry[::2], entry[1::2], strict=True))
