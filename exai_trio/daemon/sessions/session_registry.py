"""All sessions of the daemon: who may take which, the nursery they live in, and those that outlived an earlier daemon."""

import logging
from collections.abc import Callable

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.observability.events import SessionEnded, SessionOpened
from exai_trio.principals import principal_of
from exai_trio.storage.journal import Journal, KeptCall, KeptSession
from exai_trio.storage.sqlite.error_kinds import Unreadable
from exai_trio.system.turns import Turns
from exai_trio.transport.websocket import INTERNAL
from exai_trio.wire.codec import WireError
from exai_trio.wire.handles import is_handle
from exai_trio.wire.messages import PAYLOAD_REF, Hello
from exai_trio.wire.session_bounds import Bounds
from exai_trio.wire.session_rules import SessionRules

from ..calls.call import Recipient
from ..calls.call_journal import CallJournal, request_of, restore
from ..calls.environment import CallEnvironment
from ..calls.execution import Work
from ..calls.lifecycle import Calls
from ..calls.limits import allowed_roots
from ..calls.recovery import OtherDaemon
from ..calls.session_calls import SessionCalls
from ..calls.states import State
from ..context import DaemonContext
from ..delivery.outbox import Farewell, Outbox
from ..delivery.sender import Sender
from ..health.problems import Problems
from .ack_notes import AckNotes
from .memory_budget import MemoryBudget
from .oversized_frames import fit_frames
from .read_patience import ReadPatience
from .session import Session
from .session_names import may_be_named, new_name, session_name
from .shared_sessions import SharedSessions
from .taking_up import take_up_detached, taken_up

log = logging.getLogger("exai.session")

_CRASHED_S = 1.0


@structs.define(kw_only=True, eq=False)
class Sessions:
    """`nursery` is that of the sessions; whoever opened it ends them; `table` has them by id. `calls` has their calls.
    `predecessor` is the daemon that we replaced, `others` those that share the store."""

    context: DaemonContext
    environment: CallEnvironment
    problems: Problems
    budget: MemoryBudget
    nursery: trio.Nursery
    calls: Calls
    predecessor: OtherDaemon | None = None
    others: SharedSessions | None = None
    restored: bool = False
    table: dict[str, Session] = attrs.field(factory=dict[str, Session])
    _restoring: trio.Lock = attrs.field(factory=trio.Lock)
    _turns: Turns = attrs.field(factory=Turns)  # so that none is brought back twice
    _unusable: set[str] = attrs.field(factory=set[str])  # what the journal has of them is broken
    _patience: ReadPatience = attrs.Factory(
        lambda self: ReadPatience(self.others is not None), takes_self=True
    )
    _acks: AckNotes = attrs.field(factory=AckNotes)

    def open(
        self, session_id: str, principal: str, *, lasting: bool = True, owned: bool = True
    ) -> Session:
        """A session that knows nothing yet; it journals its calls if the daemon has a journal, unless they are to end with it. Not
        `owned`: the name alone, for a call that is claimed."""
        principal, context = principal_of(principal), self.context
        rules = SessionRules(bounds=Bounds(running=context.config.ws_session_max_inflight))
        journal, epoch = self._pages(session_id, principal, owned=owned) if lasting else (None, 0)
        sender = Sender(rules, max_frame=context.config.ws_max_bytes)
        return Session(
            id=session_id,
            principal=principal,
            context=context,
            environment=self.environment,
            budget=self.budget,
            rules=rules,
            sender=sender,
            calls=SessionCalls(sender, context, journal),
            all_calls=self.calls,
            epoch=epoch,
            roots=allowed_roots(context.config, principal),
        )

    def _pages(self, name: str, principal: str, *, owned: bool) -> tuple[CallJournal | None, int]:
        if self.others is not None:
            return self.others.pages_of(name, principal, owned=owned)
        journal = self.context.journal
        return CallJournal(journal, name, principal) if journal else None, 0

    async def join(
        self, hello: Hello, principal: str, outbox: Outbox, *, lasting: bool = True
    ) -> tuple[Session, bool]:
        """The session that this client continues, or a new one; attached to `outbox`. True if it was continued. What is not `lasting`
        ends with this daemon.

        Raises StorageError while it may have one in a journal that cannot be read. Cancelled, the session is there or not; one that no
        client takes ends of itself.
        """
        principal = principal_of(principal)
        wanted = hello.session_id if may_be_named(hello.session_id) else None
        try:
            known, wanted = await self._wanted(principal, wanted, hello.visit)
        except StorageError as fault:
            log.error("session not read", extra={"fault": fault.message})
            if hello.last_seq and self._patience.is_left(wanted or "", trio.current_time()):
                raise
            known = wanted = None  # under its own name it would be taken for what is there
        if known is not None:
            with known.expecting():
                await fit_frames(known, self._max_frame(hello))
                continued = known.is_continued_by(hello.last_seq)
                self._attach(known, hello, outbox, hello.last_seq if continued else 0)
            return known, continued
        session = self.open(self._new_id(wanted), principal, lasting=lasting)
        self._acks.ended.pop(session.id, None)  # of an earlier life, with numbers of its own
        self.table[session.id] = session
        self._attach(session, hello, outbox, 0)
        await self.nursery.start(self._live, session)
        return session, False

    async def _wanted(
        self, principal: str, wanted: str | None, visit: int
    ) -> tuple[Session | None, str | None]:
        """The principal's session that is wanted, if there is one, and the id that a new one is to have. Raises StorageError."""
        if wanted is None:
            return None, None
        # those that we have named stand under that name alone
        known = await self._known(wanted, principal, visit)
        if known is not None and known.principal == principal:
            return known, wanted
        name = session_name(principal, wanted)
        known = await self._known(name, principal, visit) if name and name != wanted else None
        return known, name

    async def _known(self, session_id: str, principal: str, visit: int) -> Session | None:
        """The session of this id, brought back from the journal if it is not in memory; or if another daemon has had it since."""
        async with self._turns.alone(session_id):
            journal, known = self.context.journal, self.table.get(session_id)
            if self.others is not None and (known is None or known.principal == principal):
                if not await self.others.take(session_id, principal, known, visit):
                    return known
                if known is not None and self.table.get(session_id) is known:
                    del self.table[session_id]  # nobody waits for what runs of it yet
            elif known is not None:
                return known
            if session_id not in self._unusable and journal is not None:
                await self._revive(session_id, journal)
                self._patience.forget(session_id)
            return self.table.get(session_id)

    async def restore(self) -> None:
        """Bring back the sessions that have calls without an outcome, and take those up; `restored` once that is done. One that
        is broken costs no other anything. Raises StorageError. Cancelled, it may be called again for the rest."""
        journal = self.context.journal
        async with self._restoring:  # else what goes on under a handle might be taken up twice
            if journal is None or self.restored:
                return
            # where daemons share a journal, what is open is claimed
            for session_id in await journal.unfinished() if self.others is None else ():
                async with self._turns.alone(session_id):
                    known = session_id in self.table or session_id in self.calls.detached
                    if not known and session_id not in self._unusable:
                        await self._revive(session_id, journal)
            self.restored = True

    async def _revive(self, session_id: str, journal: Journal) -> None:
        """Bring back what the journal has of this session. Raises StorageError."""
        try:
            kept = await journal.session(session_id)
        except Unreadable as fault:
            self._leave_lying(session_id, fault)
        else:
            if kept is not None:
                await self._bring_back(session_id, kept)

    def _leave_lying(self, session_id: str, fault: Exception) -> None:
        """What the journal has of it stays there as it is, and nobody gets its name."""
        self._unusable.add(session_id)
        log.error("session not restored", extra={"session": session_id, "fault": str(fault)})
        text = (
            f"calls of {len(self._unusable)} of them cannot be read, and are not answered; the log names them, and what is"
            " wrong. Send the calls again"
        )
        self.problems.note("sessions", text)

    async def _bring_back(self, session_id: str, kept: KeptSession) -> None:
        session = self.open(session_id, kept.calls[0].principal)
        try:
            unfinished = restore(session.rules, kept, self.context.clock.now())
        except (WireError, TypeError) as fault:
            self._leave_lying(session_id, fault)
            return
        if is_handle(session_id):  # work that goes on for no client
            take_up_detached(session, unfinished, self.predecessor)
            return
        session.acked_on_disk, session.spoken_to = kept.acked, True
        await self._note_base(session)
        self.table[session_id] = session
        for left in unfinished:
            call, work = taken_up(session, left, State.RUNNING, self.others or self.predecessor)
            if self.others is not None:
                call.attempt = 0
            session.calls.table[call.wire_id] = call
            self.calls.begin(call, work)
        await self.nursery.start(self._live, session)
        log.info(
            "session restored",
            extra={"session": session_id, "calls": len(kept.calls), "unfinished": len(unfinished)},
        )

    def run_claimed(
        self, kept: KeptCall, recipient: Recipient, guarded: Callable[[Work], Work]
    ) -> None:
        """Run a call that no daemon runs, as `guarded`, for whoever has its session. Raises WireError, TypeError: it cannot be read."""
        left = request_of(kept), kept
        named = self.open(kept.session, kept.principal, owned=False)
        if is_handle(kept.session):
            take_up_detached(named, [left], self.predecessor, guarded)
        else:
            call, work = taken_up(named, left, State.DETACHED, self.predecessor)
            call.recipient = recipient
            self.calls.begin(call, guarded(work))

    async def _note_base(self, session: Session) -> None:
        """The next daemon must give other numbers than this one, also if nothing else of this one's is written down."""
        if self.context.journal is not None:
            try:
                await self.context.journal.number_from(session.id, session.rules.last_seq)
            except StorageError as fault:
                log.error("numbers not journalled", extra={"fault": fault.message})

    async def note_acks(self) -> None:
        """Tell the journal what the clients have acknowledged since the last time. Raises StorageError. Cancelled, it tells
        the same again the next time."""
        if self.context.journal is not None:
            await self._acks.tell(self.context.journal, self.table.values())

    def _attach(self, session: Session, hello: Hello, outbox: Outbox, last_seq: int) -> None:
        if hello.roots is not None:
            session.roots = allowed_roots(self.context.config, session.principal, hello.roots)
        session.sender.max_frame = self._max_frame(hello)
        accepted = hello.accepts or ()
        session.sender.takes_references = hello.protocol > 1 and PAYLOAD_REF in accepted
        session.attach(outbox, protocol=hello.protocol, last_seq=last_seq)

    def _max_frame(self, hello: Hello) -> int:
        most = self.context.config.ws_max_bytes
        return min(hello.max_frame_bytes or most, most)

    def _new_id(self, wanted: str | None) -> str:
        if wanted is None or wanted in self.table or wanted in self._unusable:
            return new_name(self.context.clock.now())
        return wanted

    async def _live(  # noqa: ASYNC128 - hands task_status on
        self, session: Session, task_status: trio.TaskStatus[None]
    ) -> None:
        """Keep the session until it is abandoned; then nobody can join it. Raises nothing but Cancelled."""
        began = trio.current_time()
        self.context.events.publish(SessionOpened(session=session.id, principal=session.principal))
        task_status.started()
        try:
            await _until_abandoned(session)
        finally:
            session.end()
            if self.table.get(session.id) is session:
                del self.table[session.id]
                if self.context.journal is not None:
                    self._acks.ended[session.id] = session.rules.acked
            lasted_s = trio.current_time() - began
            self.context.events.publish(SessionEnded(session=session.id, duration_s=lasted_s))
            self.calls.changed.tell()

    def outboxes(self) -> list[Outbox]:
        """Of all clients that are connected now."""
        return [session.outbox for session in self.table.values() if session.outbox is not None]


async def _until_abandoned(session: Session) -> None:
    """A fault of ours costs the session its connection, and no call anything."""
    while True:
        try:
            return await session.wait_abandoned()
        except Exception:
            log.exception("session crashed", extra={"session": session.id})
            if session.outbox is not None:
                session.outbox.close(Farewell(INTERNAL, "the session crashed"))
        await trio.sleep(_CRASHED_S)
