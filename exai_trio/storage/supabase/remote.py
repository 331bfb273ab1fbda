"""Supabase as the other side of a mirror: entries are applied, and what it has beyond a mark is read. Its database's time counts."""

from collections.abc import Callable
from typing import Any, Final, Literal, TypeVar

import attrs
import msgspec

from exai_trio import structs
from exai_trio.storage.base import Step
from exai_trio.storage.hosted.hosted_faults import SchemaDiffers
from exai_trio.storage.hosted.outbox_entries import (
    PAGE_LENGTH,
    Applied,
    Entry,
    HostedState,
    Mark,
    Tail,
    turn_of,
)
from exai_trio.storage.supabase.http_requests import Requests
from exai_trio.storage.supabase.objects import SupabaseObjects

T = TypeVar("T")
_Text = str | None
_DIFFER_S: Final = 2.0  # clocks that are nearer than this are taken for the same


class _Outcome(msgspec.Struct):
    """A row of `exai_apply`."""

    entry: str
    code: _Text
    number: int | None


class _Beyond(msgspec.Struct):
    """What `exai_tail` returns."""

    principal: str
    name: _Text
    created_at: float
    expires_at: float
    messages: list[tuple[int, Literal["user", "assistant"], str, dict[str, Any], _Text, float]]
    steps: list[tuple[int, str, dict[str, Any], _Text, float]]


@structs.define(eq=False)
class SupabaseRemote:
    """`needed` is the version of the schema that this EXAI asks for; `ahead_s` is by how much our clock is ahead."""

    requests: Requests
    now: Callable[[], float]
    needed: int
    ahead_s: float = attrs.field(default=0.0)

    async def state(self) -> HostedState:
        """Notes how far the clocks are apart. Raises SchemaDiffers if the version is not the needed one."""
        asked_at = self.now()
        said = await self.requests.call("exai_state", b"{}", HostedState)
        ahead = (asked_at + self.now()) / 2 - said.now
        self.ahead_s = ahead if abs(ahead) > _DIFFER_S else 0.0
        if said.version != self.needed:
            raise SchemaDiffers(_of_another_version(said.version, self.needed), reason="version")
        return said

    async def apply(self, entries: tuple[Entry, ...]) -> tuple[Applied, ...]:
        batch = [
            {"id": one.id, "kind": one.kind, "body": msgspec.Raw(one.body.encode())}
            for one in entries
        ]
        body = msgspec.json.encode({"batch": batch, "ahead": self.ahead_s})
        rows = await self.requests.call("exai_apply", body, list[_Outcome])
        return tuple(Applied(id=row.entry, code=row.code or "", number=row.number) for row in rows)

    async def tail(self, continuation_id: str, after: Mark) -> Tail | None:
        asked = {
            "conversation": continuation_id,
            "after_message": after.messages,
            "after_step": after.steps,
            "most": PAGE_LENGTH,
        }
        said = await self._asked("exai_tail", asked, _Beyond | None)
        return None if said is None else self._tail(said)

    async def named(self, principal: str, name: str, now: float) -> str | None:
        asked = {"whose": principal, "wanted": name, "at": now - self.ahead_s}
        found: _Text = await self._asked("exai_named", asked, _Text)
        return found

    async def kept_under(self, principal: str, keys: tuple[str, ...], now: float) -> str | None:
        asked = {"whose": principal, "keys": [*keys], "at": now - self.ahead_s}
        found: _Text = await self._asked("exai_kept_under", asked, _Text)
        return found

    async def sweep(self, now: float, grace_s: float) -> int:
        asked = {"at": now - self.ahead_s, "grace": grace_s}
        gone: int = await self._asked("exai_sweep", asked, int)
        return gone

    async def call(self, function: str, body: bytes, returned: type[T]) -> T:
        return await self.requests.call(function, body, returned)

    def bucket(self, name: str) -> SupabaseObjects:
        return SupabaseObjects(self.requests, name)

    async def _asked(self, function: str, asked: dict[str, Any], returned: Any) -> Any:
        return await self.requests.call(function, msgspec.json.encode(asked), returned)

    def _tail(self, said: _Beyond) -> Tail:
        return Tail(
            principal=said.principal,
            name=said.name or "",
            created_at=said.created_at + self.ahead_s,
            expires_at=said.expires_at + self.ahead_s,
            turns=tuple(
                (number, turn_of(role, content, metadata, key or "", at + self.ahead_s))
                for number, role, content, metadata, key, at in said.messages
            ),
            steps=tuple(
                (number, Step(tool=tool, at=at + self.ahead_s, data=data, key=key or ""))
                for number, tool, data, key, at in said.steps
            ),
        )


def _of_another_version(theirs: int, ours: int) -> str:
    if theirs > ours:
        return f"Supabase's schema ({theirs}) is of a newer EXAI (this one knows {ours}): upgrade this one."
    return f"Supabase's schema ({theirs}) is older than this EXAI ({ours}): run `exai storage migrate`."
