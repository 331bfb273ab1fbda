"""`exai token`: tokens for others are issued, listed, changed and taken back, whether or not a daemon runs."""

from argparse import Namespace
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

from exai_trio import structs
from exai_trio.access.access_log import append_line
from exai_trio.access.issuing import DAY_S, Issuer, check_name, new_id, retirements
from exai_trio.access.jwt_keys import add_key
from exai_trio.access.redis_connection import open_redis
from exai_trio.access.redis_registry import RedisRegistry
from exai_trio.access.sqlite_registry import SqliteRegistry
from exai_trio.access.token_claims import Expected, Role
from exai_trio.access.token_registry import IssuedToken, Quota, TokenRegistry
from exai_trio.commands.console import Console, columns
from exai_trio.commands.invocation import Started
from exai_trio.commands.watching.open_home import within
from exai_trio.config import Config
from exai_trio.errors import ArgumentError, NotFoundError
from exai_trio.observability.times import rfc3339
from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.system.clock import unix_now
from exai_trio.system.private_files import private_directory

_LONGEST_LIFE_S = (
    400 * DAY_S
)  # of tokens that nobody has written down: so long a subject stays revoked
_FORGOTTEN_S = 7 * DAY_S  # so long a token that has ended is listed
_DATE = 16  # characters of a time


def main(started: Started) -> int:
    console = Console.of_process(started.environ)
    trio.run(_run, started.loaded.config, console, started.arguments)
    return 0


async def _run(config: Config, console: Console, asked: Namespace) -> None:
    """Raises ExaiError. Cancelling closes the registry."""

    async def work(registry: TokenRegistry) -> None:
        await TokenDesk(config, registry, console, unix_now()).do(asked)

    await within(open_registry(config), work)


@asynccontextmanager
async def open_registry(config: Config) -> AsyncGenerator[TokenRegistry]:
    """The registry that the daemon of this home asks. Raises StorageError. Cancelling closes it."""
    if config.redis_url:
        async with open_redis(config.redis_url, config.deployment, patient=True) as redis:
            yield RedisRegistry(redis)
        return
    private_directory(config.state)
    async with open_sqlite(config.state / "exai.db") as store:
        yield SqliteRegistry(store)


@structs.frozen(eq=False)
class TokenDesk:
    """Does what is asked, and writes it down in the access log."""

    config: Config
    registry: TokenRegistry
    console: Console
    now: float

    async def do(self, asked: Namespace) -> None:
        """Raises ExaiError. Cancelled, it is done or not."""
        match asked.action:
            case "issue":
                await self._issue(asked)
            case "list":
                await self._list(as_json=asked.json)
            case "revoke":
                await self._revoke(asked)
            case "set":
                await self._set(asked)
            case _:
                await self._rotate()

    async def _issue(self, asked: Namespace) -> None:
        check_name(asked.name)
        role: Role = asked.role
        wanted = IssuedToken(
            id=new_id(),
            subject=asked.name,
            role=role,
            scope=asked.scope,
            key_id="",
            issued_at=self.now,
            ends=self.now + asked.days * DAY_S,
            quota=_quota(asked, Quota()),
        )
        entry, token = self._issuer().sign(wanted)
        await self.registry.add(entry)
        self._note(
            "token issued", on=entry.id, who=f"jwt:{entry.subject}", role=role, kid=entry.key_id
        )
        self.console.say(token)
        ends = rfc3339(entry.ends)
        self.console.note(
            f"exai: {entry.id} for {entry.subject} ({role}), until {ends}; it is printed this once"
        )

    def _issuer(self) -> Issuer:
        config = self.config
        return Issuer(
            keys_file=config.keys_file,
            secret=config.jwt_secret_key,
            algorithm=config.jwt_algorithm,
            names=Expected(issuer=config.jwt_issuer, audience=config.jwt_audience),
        )

    async def _list(self, *, as_json: bool) -> None:
        await self.registry.sweep(self.now - _FORGOTTEN_S)
        tokens = await self.registry.all()
        if as_json:
            told = [_facts(token) for token in tokens]
            self.console.say_json(told)
        elif tokens:
            head = (
                [_HEAD] if self.console.screen else []
            )  # programs want lines that begin with an id
            rows = (_row(token, self.now) for token in tokens)
            self.console.say(columns([*head, *rows], self.console.width))
        else:
            self.console.note("exai: no token was issued; `exai token issue NAME` issues one")

    async def _revoke(self, asked: Namespace) -> None:
        if bool(asked.id) == bool(asked.all_of):
            raise ArgumentError(
                "which tokens? Give an ID or --all-of NAME", details={"field": "ID"}
            )
        if asked.all_of:
            until = self.now + _LONGEST_LIFE_S
            count = await self.registry.revoke_all(asked.all_of, self.now, until)
            self._note("tokens revoked", on=f"jwt:{asked.all_of}", count=count)
            self.console.say(f"revoked {count}")
            return
        token = await self._the_one(asked.id)
        if not await self.registry.revoke(token.id, self.now):
            self.console.note(f"exai: {token.id} was revoked before")
            return
        self._note("token revoked", on=token.id, who=f"jwt:{token.subject}")
        self.console.say(f"revoked {token.id}")

    async def _set(self, asked: Namespace) -> None:
        token = await self._the_one(asked.id)
        quota = _quota(asked, token.quota)
        if quota == token.quota:
            raise ArgumentError("nothing is changed: say which quota", details={"field": "quota"})
        await self.registry.set_quota(token.id, quota)
        self._note("quota set", on=token.id, who=f"jwt:{token.subject}", **attrs.asdict(quota))
        self.console.say(f"{token.id}: {_shown(quota)}")

    async def _rotate(self) -> None:
        if self.config.jwt_secret_key and not self.config.keys_file.exists():
            text = "JWT_SECRET_KEY is the only key: set JWT_KEYS_FILE, which `exai token rotate-keys` then makes"
            raise ArgumentError(text, details={"field": "JWT_KEYS_FILE"})
        until = await retirements(self.registry, self.now)
        name = add_key(self.config.keys_file, self.now, until)
        self._note("key made", kid=name)
        self.console.say(f"{name} signs from now on; older keys verify until their last token ends")

    async def _the_one(self, named: str) -> IssuedToken:
        """The token of this id, or of ids that begin so. Raises NotFoundError, ArgumentError."""
        found = [
            one
            for one in await self.registry.all()
            if one.id.removeprefix("tok_").startswith(named.removeprefix("tok_"))
        ]
        if not found:
            raise NotFoundError(f"no token has the id {named}; `exai token list` has them")
        if len(found) > 1:
            raise ArgumentError(
                f"{len(found)} tokens have ids that begin with {named}", details={"field": "ID"}
            )
        return found[0]

    def _note(self, event: str, **facts: object) -> None:
        append_line(self.config.logs, self.now, event, by="exai token", result="done", **facts)


def _quota(asked: Namespace, before: Quota) -> Quota:
    given = {
        name: getattr(asked, name) for name in ("calls_per_minute", "concurrent", "tokens_per_day")
    }
    return attrs.evolve(
        before, **{name: value for name, value in given.items() if value is not None}
    )


_HEAD = ("id", "name", "role", "until", "state", "last used", "from", "quota")


def _row(token: IssuedToken, now: float) -> tuple[str, ...]:
    used = rfc3339(token.used_at)[:_DATE] if token.used_at is not None else "never"
    ends = rfc3339(token.ends)[:_DATE]
    role = f"{token.role} +{token.scope}" if token.scope else token.role
    state = _state(token, now)
    return (
        token.id,
        token.subject,
        role,
        ends,
        state,
        used,
        token.used_from or "-",
        _shown(token.quota),
    )


def _state(token: IssuedToken, now: float) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "good" if token.ends > now else "ended"


def _shown(quota: Quota) -> str:
    parts = (
        (quota.calls_per_minute, "calls a minute"),
        (quota.concurrent, "at once"),
        (quota.tokens_per_day, "tokens a day"),
    )
    return ", ".join(f"{most} {what}" for most, what in parts if most) or "no quota"


def _facts(token: IssuedToken) -> dict[str, Any]:
    times = {
        name: None if (at := getattr(token, name)) is None else rfc3339(at)
        for name in ("issued_at", "ends", "revoked_at", "used_at")
    }
    return attrs.asdict(token) | times
