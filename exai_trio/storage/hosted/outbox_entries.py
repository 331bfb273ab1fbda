"""What a daemon has kept and Supabase is still to hear of, as entries of an outbox; and what is asked of either side. No SQL, no HTTP.

An entry is applied once, however often it is sent: `id` names it. Entries of one `key` keep their order; a batch is sorted by key, so
that two daemons never wait for each other's rows crosswise.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, Protocol, TypeVar

import msgspec

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.storage.base import Step, Turn
from exai_trio.storage.contracts.file_objects import Bucket

BATCH_LENGTH: Final = 100
BATCH_BYTES: Final = 1024 * 1024
PAGE_LENGTH: Final = 500  # messages of a conversation that are asked for at once
# A turn that came without a key gets one that begins so: the two sides must know it again.
ANONYMOUS: Final = "~"
_NUL: Final = re.compile(
    r"(?<!\\)((?:\\\\)*)\\u0000"
)  # in JSON text; PostgreSQL holds no such character

T = TypeVar("T")
Kind = Literal["messages", "step", "name", "delete"]


@structs.frozen(kw_only=True)
class Entry:
    """`body` is JSON text, `at` unix seconds. `refused` is the code by which the database refused it, "" while it is to be sent."""

    id: str
    kind: str
    key: str
    body: str
    at: float
    attempts: int = 0
    refused: str = ""


@structs.frozen(kw_only=True)
class Applied:
    """What became of an entry: `code` says why it was refused; `number` is the last one of its conversation afterwards, if it has
    such."""

    id: str
    code: str = ""
    number: int | None = None


@structs.frozen(kw_only=True)
class Mark:
    """Up to these numbers both sides have the same messages and steps of a conversation."""

    messages: int = 0
    steps: int = 0


@structs.frozen(kw_only=True)
class Tail:
    """What the other side has of a conversation beyond a mark, in order; turns and steps by their numbers there."""

    principal: str
    name: str
    created_at: float
    expires_at: float
    turns: tuple[tuple[int, Turn], ...] = ()
    steps: tuple[tuple[int, Step], ...] = ()

    @property
    def is_full(self) -> bool:
        """There may be more."""
        return PAGE_LENGTH in {len(self.turns), len(self.steps)}

    def end(self, begun: Mark) -> Mark:
        """The mark after it, if it was asked for from `begun`."""
        return Mark(
            messages=self.turns[-1][0] if self.turns else begun.messages,
            steps=self.steps[-1][0] if self.steps else begun.steps,
        )


@structs.frozen(kw_only=True)
class HostedState:
    """The other side's clock, in unix seconds, and the version of its schema."""

    now: float
    version: int


@structs.frozen(kw_only=True)
class Depth:
    """How full an outbox is: entries to be sent, their bytes, when the oldest was made, and how many the database refused."""

    entries: int = 0
    size: int = 0
    oldest_at: float | None = None
    parked: int = 0


class Outbox(Protocol):
    """Raises StorageError when it cannot be read or written; cancelling leaves a write done or not done, never half."""

    async def batch(self, most: int) -> tuple[Entry, ...]:
        """The oldest that are to be sent, at most so many and BATCH_BYTES of them, one at least if there is one."""
        ...

    async def settle(self, sent: tuple[Entry, ...], applied: tuple[Applied, ...]) -> None:
        """Forget what was applied and park what was refused."""
        ...

    async def note_attempt(self, sent: tuple[Entry, ...]) -> None:
        """It was tried, and nobody knows with what outcome."""
        ...

    async def depth(self) -> Depth: ...

    def watch(self, woken: Callable[[], None]) -> None:
        """Call this after each commit that has added an entry."""
        ...


class Remote(Protocol):
    """The other side. Raises HostedFault; cancelling leaves open whether what was asked has been done."""

    async def apply(self, entries: tuple[Entry, ...]) -> tuple[Applied, ...]:
        """Apply them in this order, all that can be; what has been applied before changes nothing."""
        ...

    async def tail(self, continuation_id: str, after: Mark) -> Tail | None:
        """None if it has no such conversation."""
        ...

    async def named(self, principal: str, name: str, now: float) -> str | None: ...

    async def kept_under(self, principal: str, keys: tuple[str, ...], now: float) -> str | None: ...

    async def sweep(self, now: float, grace_s: float) -> int:
        """Mark what has expired, and delete what was marked so long ago and has not come back since. Returns how many went."""
        ...

    async def state(self) -> HostedState: ...

    async def call(self, function: str, body: bytes, returned: type[T]) -> T:
        """What a function of its database returns."""
        ...

    def bucket(self, name: str) -> Bucket: ...


def sorted_by_key(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Stably: those of one key keep their order."""
    return tuple(sorted(entries, key=lambda entry: entry.key))


@structs.frozen(kw_only=True)
class Growth:
    """A conversation that is added to."""

    conversation: str
    principal: str
    now: float
    expires_at: float


def messages(growth: Growth, turns: tuple[Turn, ...]) -> Entry:
    body = {"messages": [message(turn) for turn in turns]}
    return _entry("messages", f"m:{turns[0].key if turns else growth.now}", growth, body)


def step(growth: Growth, noted: Step) -> Entry:
    body = {"tool": noted.tool, "at": noted.at, "data": noted.data, "key": noted.key or None}
    return _entry("step", f"s:{noted.key}", growth, body)


def name(growth: Growth, called: str, entry_id: str) -> Entry:
    return _entry("name", entry_id, growth, {"name": called})


def delete(growth: Growth, entry_id: str) -> Entry:
    return _entry("delete", entry_id, growth, {})


def message(turn: Turn) -> dict[str, Any]:
    """The turn as a row of `messages`: what is said of it stands in the metadata, under the names of an answer's."""
    told = {"tool_name": turn.tool, "model_used": turn.model, "provider_used": turn.provider}
    metadata = {**turn.extra, **{name: value for name, value in told.items() if value}}
    return {
        "role": turn.role,
        "content": turn.text,
        "metadata": metadata,
        "key": turn.key or None,
        "at": turn.at,
    }


def turn_of(
    role: Literal["user", "assistant"], content: str, metadata: dict[str, Any], key: str, at: float
) -> Turn:
    """What `message` has made a row of."""
    extra = dict(metadata)
    return Turn(
        role=role,
        text=content,
        tool=extra.pop("tool_name", ""),
        model=extra.pop("model_used", ""),
        provider=extra.pop("provider_used", ""),
        at=at,
        extra=extra,
        key=key,
    )


def _entry(kind: Kind, entry_id: str, growth: Growth, more: dict[str, Any]) -> Entry:
    body = {
        "conversation": growth.conversation,
        "principal": growth.principal,
        "now": growth.now,
        "expires_at": growth.expires_at,
        **more,
    }
    return Entry(id=entry_id, kind=kind, key=growth.conversation, body=as_text(body), at=growth.now)


def as_text(body: dict[str, Any]) -> str:
    """As JSON that PostgreSQL takes: it knows no U+0000. Raises StorageError."""
    try:
        text = msgspec.json.encode(body).decode()
    except (ValueError, TypeError) as fault:
        raise StorageError(f"The store cannot hold this: {fault}") from fault
    return _NUL.sub("\\1\ufffd", text) if "\\u0000" in text else text
