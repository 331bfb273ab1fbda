"""Long calls: answered with a handle while their work goes on, in a session of their own that no client has.

What follows from that: the handle is the request's one outcome, and frees its place; a client that leaves, or cancels
the finished request, ends nothing; the journal knows the work under the handle, so that a restart takes it up again.
"""

import logging

import attrs
import trio
from msgspec import UNSET

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.storage.journal import KeptCall, KeptOutcome
from exai_trio.storage.sqlite.errors import NotKept
from exai_trio.wire.handles import handle_text
from exai_trio.wire.messages import CallResult, Output

from ..calls.call_journal import key_of
from ..calls.execution import Call
from ..calls.recovery import acceptance_of
from .registry import Sessions
from .session import Session, open_session

log = logging.getLogger("exai.session")

_DISK_AGAIN_S = 1.0


@structs.frozen(eq=False)
class HandingOver:
    """Looks at every running call, as a job."""

    sessions: Sessions

    async def look(self) -> None:
        """Hand over what runs longer than its client is to wait. What a successor has taken is its own to hand over."""
        if self.sessions.shared.ending.replaced:
            return
        for session in list(self.sessions.table.values()):
            for call in list(session.calls.values()):
                if _is_due(session, call):
                    await self._hand_over(session, call)

    async def _hand_over(self, session: Session, call: Call) -> None:
        if call.call_id in self.sessions.table:  # only if somebody has guessed the name
            return
        frame, seq = handle_frame(session, call)
        away = _moved(session, call)
        self.sessions.table[away.id] = away
        session.mail.hold(call.wire_id, frame)
        away.running.unwritten = True
        change = _change(session, call, seq, away)
        kept = False
        try:
            kept = await _written(session, away, change)
        finally:
            session.mail.let_go(call.wire_id)
        await self.sessions.adopt(away)
        if not kept:
            self.sessions.living.start_soon(_write_late, session, away, change)
        log.info(
            "call goes on without its client", extra={"call_id": away.id, "tool": call.tool.name}
        )


def _is_due(session: Session, call: Call) -> bool:
    """Other calls may have been written down, and this one have ended, since the list of calls was made."""
    still_runs = session.calls.get(call.wire_id) is call
    return still_runs and call.is_due_for_handle and session.running.is_accepted(call.wire_id)


@structs.frozen(kw_only=True)
class _Change:
    """What the journal is to note, as it was when the call was moved: the session forgets its outcomes in time."""

    request: str
    outcome: KeptOutcome
    begun: KeptCall


def _change(session: Session, call: Call, seq: int, away: Session) -> _Change | None:
    """None without a journal."""
    ledger, now = away.running.ledger, session.shared.now()
    if ledger is None:
        return None
    begun = ledger.page(call, seq=1, resumable=True)
    return _Change(
        request=key_of(call.wire_id),
        outcome=KeptOutcome(seq=seq, frame=session.rules.body_of(call.wire_id), at=now),
        begun=attrs.evolve(begun, attempts=call.attempt),
    )


async def _write_late(session: Session, away: Session, change: _Change | None) -> None:
    """Until it is written the next daemon would answer the request a second time, and the outcome waits for it."""
    kept = False
    while not kept:
        await trio.sleep(_DISK_AGAIN_S)
        kept = await _written(session, away, change)


async def _written(session: Session, away: Session, change: _Change | None) -> bool:
    """No await stands between the move and this write: whatever is written of the call later finds it."""
    journal = session.shared.journal
    if journal is None or change is None:
        return True
    try:
        try:
            await journal.hand_over(session.id, change.request, change.outcome, change.begun)
        except (
            NotKept
        ):  # the request is in a file that was set aside; what goes on is to be in this one
            await journal.accept(change.begun)
    except StorageError as fault:
        log.error("handle not journalled", extra={"fault": fault.message})  # noqa: TRY400 - the fault says it all
        return False
    away.running.unwritten = False
    return True


def handle_frame(session: Session, call: Call) -> tuple[str, int]:
    """The handle as the outcome of the request, and its number."""
    doing = f"{call.doing}: {call.detail}" if call.detail else call.doing
    text = handle_text(call.call_id, call.tool.name, call.elapsed, doing)
    output = Output(text=text, metadata={"handle": call.call_id})
    outcome = CallResult(
        request_id=call.wire_id, outputs=[output], text=UNSET if session.rules.resumable else text
    )
    frame = session.rules.finish(call.wire_id, outcome)
    return frame, session.rules.seq_of(call.wire_id)


def _moved(session: Session, call: Call) -> Session:
    """The session in which the call is from now on; its task stays where it is."""
    away = open_session(call.call_id, session.principal, session.shared)
    away.rules.resumable = True
    away.rules.submit(call.request)
    away.mail.deliver(away.rules.accept(call.wire_id, acceptance_of(call)))
    session.running.move(call, away.running)
    call.go_on_alone()
    call.emit = away.mail.offer
    return away
