"""One store of two sides: this machine's, which everything is written to and read from, and another that all machines share. No SQL, no HTTP.

What is added is kept here and sent there later. Before a conversation is read, what is newer there is asked for, unless that was done a
moment ago; one that is not here is fetched. If the other side is away, what is here counts; what is not here is then not unknown, but
unavailable.
"""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Protocol

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import ServiceUnavailableError
from exai_trio.storage.base import Conversation, Conversations, Step, Summary, Threads, Turn
from exai_trio.storage.hosted.guarded_remote import GuardedRemote
from exai_trio.storage.hosted.hosted_faults import HostedFault
from exai_trio.storage.hosted.outbox_entries import Mark, Remote, Tail

log = logging.getLogger("exai.storage")

FRESH_S: Final = 5.0
TAIL_S: Final = 1.0  # that a call waits for what is newer there
FETCH_S: Final = 5.0  # that it waits for a page of what is not here
_MOST_LOOKED_AT: Final = 10_000

_Own = tuple[str, str]  # a principal, and the id that they ask for


class Local(Protocol):
    """This machine's side, of one principal. Raises and cancels as a ConversationStore does."""

    @property
    def principal(self) -> str: ...

    @property
    def threads(self) -> Threads: ...

    def of(self, principal: str) -> "Local": ...

    async def load(self, continuation_id: str, now: float) -> Conversation | None: ...

    async def steps(self, continuation_id: str, now: float) -> tuple[Step, ...]: ...

    async def kept_under(self, keys: tuple[str, ...], now: float) -> str | None: ...

    async def append(
        self,
        continuation_id: str,
        turns: tuple[Turn, ...],
        now: float,
        expires_at: float,
        step: Step | None = None,
    ) -> int: ...

    async def add_step(
        self, continuation_id: str, step: Step, now: float, expires_at: float
    ) -> tuple[Step, ...]: ...

    async def mark(self, continuation_id: str) -> Mark | None:
        """How far both sides are the same; None if the other has never been told of it."""
        ...

    async def is_deleted(self, continuation_id: str) -> bool:
        """It was deleted here, and the other side has not heard of that yet."""
        ...

    async def take(self, continuation_id: str, after: Mark, tail: Tail) -> None:
        """What the other side has beyond that mark; nothing, if what is here ends before it by now."""
        ...

    async def forget(self, continuation_id: str) -> None:
        """The other side had it, and has it no more."""
        ...

    async def name(self, continuation_id: str, called: str, now: float) -> bool: ...

    async def fork(
        self, continuation_id: str, new_id: str, now: float, expires_at: float
    ) -> bool: ...

    async def delete(self, continuation_id: str, now: float) -> bool: ...


@structs.frozen
class _Look:
    """`fault` is why nothing was seen."""

    at: float
    fault: HostedFault | None


@structs.define
class Looks:
    """When each conversation was last looked at on the other side for whom, on trio's clock, and how often that was spared. `deletions`
    that were made here: what was asked before one of them is not taken after it."""

    spared: int = 0
    made: int = 0
    deletions: int = 0
    _newest: OrderedDict[_Own, "_Look"] = attrs.field(factory=OrderedDict[_Own, "_Look"])

    def recent(self, own: _Own) -> "_Look | None":
        """The last one, unless it is time for another."""
        look = self._newest.get(own)
        if look is None or trio.current_time() - look.at >= FRESH_S:
            self.made += 1
            return None
        self.spared += 1
        return look

    def note(self, own: _Own, fault: HostedFault | None) -> None:
        self._newest[own] = _Look(trio.current_time(), fault)
        self._newest.move_to_end(own)
        if len(self._newest) > _MOST_LOOKED_AT:
            self._newest.popitem(last=False)

    def forget(self) -> None:
        """It is time for another of each."""
        self._newest.clear()

    @property
    def hit_rate(self) -> float | None:
        """Of all reads, the part that was answered without asking the other side."""
        total = self.spared + self.made
        return self.spared / total if total else None


@structs.frozen(eq=False)
class Mirror:
    """The conversations of all principals, and the Store and Threads of one. `upkeep` sweeps what is on this machine."""

    local: Local
    remote: GuardedRemote
    upkeep: Conversations
    looks: Looks = attrs.field(factory=Looks)

    def of(self, principal: str) -> "Mirror":
        return attrs.evolve(self, local=self.local.of(principal))

    async def load(self, continuation_id: str, now: float) -> Conversation | None:
        """Raises ServiceUnavailableError if it is not here, and cannot be looked for."""
        away = await self._refreshed(continuation_id)
        found = await self.local.load(continuation_id, now)
        if away is None or found is not None:
            return attrs.evolve(found, notice=away.message) if found and away else found
        if await self.local.threads.named(continuation_id, now):
            return None  # a name, not an id
        raise ServiceUnavailableError(
            f"This conversation is not on this machine, and {away.message[0].lower()}{away.message[1:]}"
            " Try again later, or leave continuation_id out to begin a new one.",
            retry_after_s=away.retry_after_s,
        )

    async def steps(self, continuation_id: str, now: float) -> tuple[Step, ...]:
        await self._refreshed(continuation_id)
        return await self.local.steps(continuation_id, now)

    async def append(
        self,
        continuation_id: str,
        turns: tuple[Turn, ...],
        now: float,
        expires_at: float,
        step: Step | None = None,
    ) -> int:
        return await self.local.append(continuation_id, turns, now, expires_at, step)

    async def add_step(
        self, continuation_id: str, step: Step, now: float, expires_at: float
    ) -> tuple[Step, ...]:
        return await self.local.add_step(continuation_id, step, now, expires_at)

    async def kept_under(self, keys: tuple[str, ...], now: float) -> str | None:
        """Asked only by a call that runs again."""
        found = await self.local.kept_under(keys, now)
        principal = self.local.principal
        return found or await self._looked_up(
            lambda remote: remote.kept_under(principal, keys, now)
        )

    async def sweep(self, now: float) -> int:
        return await self.upkeep.sweep(now)

    async def newest_at(self) -> float | None:
        return await self.upkeep.newest_at()

    async def note_time(self, now: float) -> None:
        await self.upkeep.note_time(now)

    async def recent(self, now: float, most: int | None = None) -> tuple[Summary, ...]:
        """Those on this machine."""
        return await self.local.threads.recent(now, most)

    async def find(self, wanted: str, now: float) -> tuple[str, ...]:
        """Those on this machine; else the one that is so called on another."""
        found = await self.local.threads.find(wanted, now)
        named = None if found else await self._named_there(wanted, now)
        return (named,) if named else found

    async def named(self, name: str, now: float) -> str | None:
        found = await self.local.threads.named(name, now)
        return found or await self._named_there(name, now)

    async def name(self, continuation_id: str, name: str, now: float) -> bool:
        return await self.local.name(continuation_id, name, now)

    async def fork(self, continuation_id: str, new_id: str, now: float, expires_at: float) -> bool:
        await self._refreshed(continuation_id)
        return await self.local.fork(continuation_id, new_id, now, expires_at)

    async def delete(self, continuation_id: str, now: float) -> bool:
        try:
            return await self.local.delete(continuation_id, now)
        finally:  # only now: what is asked while it is written is asked before it
            self.looks.deletions += 1

    async def _named_there(self, name: str, now: float) -> str | None:
        principal = self.local.principal
        return await self._looked_up(lambda remote: remote.named(principal, name, now))

    async def _looked_up(self, question: Callable[[Remote], Awaitable[str | None]]) -> str | None:
        try:
            return await self.remote.ask(question, within_s=TAIL_S)
        except HostedFault as fault:
            log.info("looked for on this machine alone", extra={"reason": fault.reason})
            return None

    async def _refreshed(self, continuation_id: str) -> HostedFault | None:
        """What is newer there is here now; or why not. Asked at most every FRESH_S, whether or not that succeeds; each time, as long as it
        does not, for what has never come from there."""
        own = (self.local.principal, continuation_id)
        if (look := self.looks.recent(own)) is not None:
            return look.fault
        if (closed := self.remote.closed_door) is not None:
            return closed
        if await self.local.is_deleted(continuation_id):
            return None
        mark = await self.local.mark(continuation_id)
        fault = await self._fault_of(partial(self._fetch, continuation_id, mark))
        if fault is None or mark is not None:
            self.looks.note(own, fault)
        return fault

    @staticmethod
    async def _fault_of(work: Callable[[], Awaitable[None]]) -> HostedFault | None:
        try:
            await work()
        except HostedFault as fault:
            return fault
        return None

    async def _fetch(self, continuation_id: str, mark: Mark | None) -> None:
        """Page by page, each of which is kept here before the next is asked for."""
        within_s, after = (FETCH_S, Mark()) if mark is None else (TAIL_S, mark)
        while True:
            deletions = self.looks.deletions
            tail = await self.remote.ask(partial(_tail, continuation_id, after), within_s=within_s)
            if self.looks.deletions != deletions:  # it may be this one
                if await self.local.is_deleted(continuation_id):
                    return
                continue
            if tail is not None:
                await self.local.take(continuation_id, after, tail)
            elif mark not in {None, Mark()}:  # it had something of it, before it was asked
                await self.local.forget(continuation_id)
            if tail is None or not tail.is_full:
                return
            after = tail.end(after)


async def _tail(continuation_id: str, after: Mark, remote: Remote) -> Tail | None:
    return await remote.tail(continuation_id, after)
