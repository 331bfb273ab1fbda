"""The journal as sessions write it and read it back: calls and outcomes as records, records as session rules."""

from contextlib import suppress
from typing import Protocol

import attrs
import msgspec

from exai_trio import structs
from exai_trio.storage.journal import Journal, KeptCall, KeptOutcome, KeptSession
from exai_trio.storage.shared.shared_calls import CallMoved, SessionMoved
from exai_trio.storage.sqlite.error_kinds import NotKept
from exai_trio.wire.codec import decode_client, decode_daemon, encode
from exai_trio.wire.messages import (
    CallAccepted,
    CallFailed,
    CallResult,
    CallTool,
    Outcome,
    RequestId,
)
from exai_trio.wire.session_rules import SessionRules, Survivor

from .call import Call

Unfinished = tuple[CallTool, KeptCall]  # accepted by an earlier daemon, and not ended


def id_of(key: str) -> RequestId:
    """The request id that the journal knows as `key`."""
    return msgspec.json.decode(key, type=str | int)


def key_of(request_id: RequestId) -> str:
    """The request id as the journal knows it: 1 and "1" are two ids."""
    return msgspec.json.encode(request_id).decode()


class Fence(Protocol):
    """Where other daemons may take a call, one outcome counts."""

    def give_up(self) -> None:
        """The session is another daemon's."""
        ...

    async def finish(self, name: str, call: Call, outcome: KeptOutcome) -> str | None:
        """Keep the outcome of a call that is journalled under this name. Returns the one that counts, if it is another. Raises StorageError;
        cancelling leaves it kept or not."""
        ...


@structs.frozen(eq=False)
class CallJournal:
    """The pages of one session. Its methods raise StorageError. What is to be added to a call that is in a file which was set aside
    is written nowhere: there is nothing on disk that it could change."""

    journal: Journal
    session: str
    principal: str
    fence: Fence | None = None

    def under(self, name: str) -> "CallJournal":
        """The pages of the same principal under another name."""
        return attrs.evolve(self, session=name)

    async def accept(self, call: Call, *, seq: int, resumable: bool) -> None:
        """The call is on disk when this returns. If another daemon has the session, its client is sent there, and is told nothing more."""
        try:
            await self.journal.accept(self.page(call, seq=seq, resumable=resumable))
        except SessionMoved:
            if self.fence is not None:
                self.fence.give_up()
            raise

    def page(self, call: Call, *, seq: int, resumable: bool) -> KeptCall:
        """The call as it is written down."""
        return KeptCall(
            session=self.session,
            request=key_of(call.wire_id),
            principal=self.principal,
            resumable=resumable,
            seq=seq,
            frame=encode(call.request),
            roots=tuple(str(root) for root in call.roots),
            timeout=call.timeout,
            at=call.accepted_at,
            lasting=bool(call.request.handle_after_s),
        )

    async def run_again(self, call: Call) -> None:
        with suppress(NotKept):  # audit: suppress, because what is not kept has no entry to change
            await self.journal.run_again(self.session, key_of(call.wire_id))

    def finish_at_once(self, call: Call, outcome: KeptOutcome) -> bool:
        """Whether the outcome is on disk, and counts: where nobody has to wait for that."""
        if self.fence is not None:
            return False
        return self.journal.finish_at_once(self.session, key_of(call.wire_id), outcome)

    async def finish(self, call: Call, outcome: KeptOutcome) -> str | None:
        """The outcome is on disk when this returns. If another daemon's counts, it is returned."""
        if self.fence is not None:
            return await self.fence.finish(self.session, call, outcome)
        await self.journal.finish(self.session, key_of(call.wire_id), outcome)
        return None

    async def hand_over(self, call: Call, outcome: KeptOutcome, begun: KeptCall) -> None:
        """In one step the handle is the call's outcome, and the work is on disk under the handle, also of a call that runs in another
        daemon by now. If the call is in a file that was set aside, or has an outcome, what goes on here is written anew."""
        try:
            await self.journal.hand_over(self.session, key_of(call.wire_id), outcome, begun)
        except NotKept:
            await self.journal.accept(begun)
        except CallMoved:
            await self._hand_over_there(call, outcome, begun)

    async def _hand_over_there(self, call: Call, outcome: KeptOutcome, begun: KeptCall) -> None:
        there = attrs.evolve(begun, attempts=0)
        try:
            await self.journal.hand_over(self.session, key_of(call.wire_id), outcome, there)
        except CallMoved:
            await self.journal.accept(begun)


def request_of(kept: KeptCall) -> CallTool:
    """Raises WireError or TypeError if this is not what an earlier daemon wrote."""
    request = decode_client(kept.frame)
    if not isinstance(request, CallTool):
        raise TypeError(f"{type(request).__name__} in the journal")
    return request


def outcome_in(frame: str) -> Outcome:
    """Raises WireError, TypeError."""
    message = decode_daemon(frame).message
    if not isinstance(message, CallResult | CallFailed):
        raise TypeError(f"{type(message).__name__} as an outcome in the journal")
    return message


def _base_at(now: float) -> int:
    """A number above those of daemons that could not write theirs down: no session has a thousand frames in a millisecond."""
    return int(now * 1000) << 10


def restore(rules: SessionRules, kept: KeptSession, now: float) -> list[Unfinished]:
    """Give the rules back what they knew. Returns the calls that have no outcome yet. `now` is the wall clock's."""
    survivors: list[Survivor] = []
    unfinished: list[Unfinished] = []
    for call in kept.calls:
        request = request_of(call)
        name = request.name
        accepted = CallAccepted(request_id=request.request_id, name=name, timeout=call.timeout)
        outcome = call.outcome
        survivors.append(
            Survivor(
                call=request,
                accepted=encode(accepted),
                accepted_seq=call.seq,
                outcome=outcome.frame if outcome else None,
                outcome_seq=outcome.seq if outcome else 0,
            )
        )
        if outcome is None:
            unfinished.append((request, call))
    rules.resumable = any(call.resumable for call in kept.calls)
    rules.restore(survivors, kept.acked, max(kept.base, _base_at(now)))
    return unfinished
