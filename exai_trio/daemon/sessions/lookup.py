"""What has become of a call, for its principal alone: looked for among what is in memory, then in the journal."""

from collections.abc import Mapping

import trio

from exai_trio import structs
from exai_trio.errors import NotFoundError
from exai_trio.principals import principal_of
from exai_trio.storage.journal import Journal, KeptCall
from exai_trio.tools.base import Answer, CallReport
from exai_trio.wire.codec import decode_daemon
from exai_trio.wire.handles import handle_of, is_handle
from exai_trio.wire.messages import CallFailed, CallResult, RequestId

from ..calls.call import Call
from ..calls.call_journal import id_of, request_of
from ..calls.detached_calls import DetachedCall
from ..delivery.wire_errors import as_error
from .session import Session


@structs.frozen(eq=False)
class CallLookup:
    """To the tools it is the CallArchive. `sessions` and `detached` are the daemon's tables, by id and by handle."""

    sessions: Mapping[str, Session]
    detached: Mapping[str, DetachedCall]
    journal: Journal | None

    async def report(self, call_id: str, principal: str, wait_s: float) -> CallReport:
        """Raises: NotFoundError, StorageError."""
        if not is_handle(call_id):
            raise self._unknown()
        detached = self.detached.get(call_id)
        if detached is not None and detached.call.principal == principal:
            with trio.move_on_after(wait_s):
                await detached.wait_told()
            name, outcome = detached.call.tool.name, detached.outcome
            return _told(call_id, name, outcome) if outcome else _doing(call_id, detached.call)
        kept = await self._handed_over(call_id, principal)
        known = None if kept else self._of_a_client(call_id, principal)
        if known is not None:
            return await _watched(call_id, *known, wait_s)
        kept = kept or await self._kept(call_id, principal)
        if kept is None:
            raise self._unknown()
        return _told(call_id, request_of(kept).name, kept.outcome.frame if kept.outcome else None)

    def _unknown(self) -> NotFoundError:
        return NotFoundError(
            f"No call has this call_id; outcomes are kept {self._how_long()}. Send the call again.",
            details={"field": "call_id"},
        )

    def _how_long(self) -> str:
        if self.journal is None:
            return "for EXAI_SESSION_GRACE_S after the call, since EXAI_DURABILITY is off"
        return "for 48 h, or until their client has them if it gives no handles"

    async def _handed_over(self, call_id: str, principal: str) -> KeptCall | None:
        """What the journal has under a handle."""
        kept = await self.journal.session(call_id) if self.journal else None
        call = kept.calls[0] if kept else None
        return call if call and principal_of(call.principal) == principal else None

    async def _kept(self, call_id: str, principal: str) -> KeptCall | None:
        """A call in the journal that was not handed over, and that no session knows any more."""
        names = await self.journal.names(principal) if self.journal else ()
        for name, request in names:
            if self.journal and handle_of(name, id_of(request)) == call_id:
                kept = await self.journal.session(name)
                calls = kept.calls if kept else ()
                return next((call for call in calls if call.request == request), None)
        return None

    def _of_a_client(self, call_id: str, principal: str) -> tuple[Session, RequestId] | None:
        """A call that was not handed over, of a client that is there or may come back. One that was, and is not among the detached
        ones any more, is forgotten."""
        for session in self.sessions.values():
            for request_id in session.rules.known() if session.principal == principal else ():
                if handle_of(session.id, request_id) == call_id:
                    was_detached = _is_its_handle(session.rules.outcome_of(request_id), call_id)
                    return None if was_detached else (session, request_id)
        return None


async def _watched(
    call_id: str, session: Session, request_id: RequestId, wait_s: float
) -> CallReport:
    """What a session in memory says of its call, once it has ended or the time is over."""
    with trio.move_on_after(wait_s):
        await session.calls.wait_told(request_id)
    call = session.calls.table.get(request_id)
    if call is not None and call.is_cancellable:
        return _doing(call_id, call)
    return _told(call_id, "the call", session.rules.outcome_of(request_id))


def _is_its_handle(frame: str | None, call_id: str) -> bool:
    outcome = decode_daemon(frame).message if frame else None
    if not isinstance(outcome, CallResult):
        return False
    return (outcome.outputs[0].metadata or {}).get("handle") == call_id


def _doing(call_id: str, call: Call) -> CallReport:
    name, doing = call.tool.name, call.told_so_far
    return CallReport(call_id=call_id, tool=name, elapsed_s=call.elapsed, doing=doing)


def _told(call_id: str, tool: str, frame: str | None) -> CallReport:
    """The outcome as the client was told it, or was to be."""
    outcome = decode_daemon(frame).message if frame else None
    match outcome:
        case CallResult():
            first = outcome.outputs[0]
            answer = Answer(
                text="\n".join(output.text for output in outcome.outputs),
                metadata=first.metadata or {},
                usage=outcome.usage or None,
            )
            return CallReport(call_id=call_id, tool=tool, answer=answer)
        case CallFailed():
            return CallReport(call_id=call_id, tool=tool, fault=as_error(outcome.error))
        case _:
            return CallReport(call_id=call_id, tool=tool, doing="waiting")
