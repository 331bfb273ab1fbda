"""All sessions of the daemon: who may take which, the nursery they live in, and those that outlived an earlier daemon."""

import logging

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import ExaiError, StorageError
from exai_trio.observability.events import SessionEnded, SessionOpened
from exai_trio.principals import principal_of
from exai_trio.storage.journal import Journal, KeptSession
from exai_trio.storage.sqlite.error_kinds import Unreadable
from exai_trio.transport.websocket import INTERNAL
from exai_trio.wire.codec import WireError
from exai_trio.wire.handles import is_handle
from exai_trio.wire.messages import PAYLOAD_REF, Hello
from exai_trio.wire.session_bounds import Bounds
from exai_trio.wire.session_rules import SessionRules

from ..calls.call import Call
from ..calls.call_journal import CallJournal, Unfinished, restore
from ..calls.call_plan import impossible, plan
from ..calls.detached_calls import DetachedCall
from ..calls.environment import CallEnvironment
from ..calls.execution import Work
from ..calls.lifecycle import Calls
from ..calls.limits import allowed_roots
from ..calls.recovery import OtherDaemon, work_for
from ..calls.session_calls import SessionCalls
from ..calls.states import State
from ..context import DaemonContext
from ..delivery.outbox import Farewell, Outbox
from ..delivery.sender import Sender
from ..health.problems import Problems
from .memory_budget import MemoryBudget
from .oversized_frames import fit_frames
from .session import Session
from .session_names import may_be_named, new_name, session_name

log = logging.getLogger("exai.session")

_CRASHED_S = 1.0
_PATIENCE_S = 15.0  # so long clients are sent away for a journal that cannot be read


@structs.define(kw_only=True, eq=False)
class Sessions:
    """`nursery` is that of the sessions; whoever opened it ends them; `table` has them by id. `calls` has their calls.
    `predecessor` is the daemon that we replaced."""

    context: DaemonContext
    environment: CallEnvironment
    problems: Problems
    budget: MemoryBudget
    nursery: trio.Nursery
    calls: Calls
    predecessor: OtherDaemon | None = None
    restored: bool = False
    table: dict[str, Session] = attrs.field(factory=dict[str, Session])
    _restoring: trio.Lock = attrs.field(factory=trio.Lock)
    _unusable: set[str] = attrs.field(factory=set[str])  # what the journal has of them is broken
    _unread_since: dict[str, float] = attrs.field(factory=dict[str, float])
    _last_acks: dict[str, int] = attrs.field(factory=dict[str, int])  # of sessions that have ended

    def open(self, session_id: str, principal: str, *, lasting: bool = True) -> Session:
        """A session that knows nothing yet; it journals its calls if the daemon has a journal, unless they are to end with it."""
        principal, context = principal_of(principal), self.context
        rules = SessionRules(bounds=Bounds(running=context.config.ws_session_max_inflight))
        kept = context.journal if lasting else None
        journal = CallJournal(kept, session_id, principal) if kept else None
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
            roots=allowed_roots(context.config, principal),
        )

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
            known, wanted = await self._wanted(principal, wanted)
        except StorageError as fault:
            log.error("session not read", extra={"fault": fault.message})
            if hello.last_seq and self._is_patient(wanted or ""):
                raise
            known = wanted = None  # under its own name it would be taken for what is there
        if known is not None:
            with known.expecting():
                await fit_frames(known, self._max_frame(hello))
                continued = known.is_continued_by(hello.last_seq)
                self._attach(known, hello, outbox, hello.last_seq if continued else 0)
            return known, continued
        session = self.open(self._new_id(wanted), principal, lasting=lasting)
        self._last_acks.pop(session.id, None)  # of an earlier life, with numbers of its own
        self.table[session.id] = session
        self._attach(session, hello, outbox, 0)
        await self.nursery.start(self._live, session)
        return session, False

    async def _wanted(
        self, principal: str, wanted: str | None
    ) -> tuple[Session | None, str | None]:
        """The principal's session that is wanted, if there is one, and the id that a new one is to have. Raises StorageError."""
        if wanted is None:
            return None, None
        known = await self._known(wanted)  # those that we have named stand under that name alone
        if known is not None and known.principal == principal:
            return known, wanted
        name = session_name(principal, wanted)
        known = await self._known(name) if name and name != wanted else None
        return known, name

    async def _known(self, session_id: str) -> Session | None:
        """The session of this id, brought back from the journal if it is not in memory."""
        journal = self.context.journal
        known = session_id in self.table or session_id in self._unusable
        if known or journal is None:
            return self.table.get(session_id)
        await self._revive(session_id, journal)
        self._unread_since.pop(session_id, None)
        return self.table.get(session_id)

    def _is_patient(self, session_id: str) -> bool:
        """Whether the journal may soon be read again: then its clients had better wait than begin anew."""
        now = trio.current_time()
        lately = {name: at for name, at in self._unread_since.items() if now < at + 2 * _PATIENCE_S}
        self._unread_since = lately
        return now < lately.setdefault(session_id, now) + _PATIENCE_S

    async def restore(self) -> None:
        """Bring back the sessions that have calls without an outcome, and take those up; `restored` once that is done. One that
        is broken costs no other anything. Raises StorageError. Cancelled, it may be called again for the rest."""
        journal = self.context.journal
        async with self._restoring:  # else what goes on under a handle might be taken up twice
            if journal is None or self.restored:
                return
            for session_id in await journal.unfinished():
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
            self._take_up_detached(session, unfinished)
            return
        session.acked_on_disk, session.spoken_to = kept.acked, True
        await self._note_base(session)
        if session_id in self.table:  # another connection was faster
            return
        self.table[session_id] = session
        await self.nursery.start(self._live, session)
        for left in unfinished:
            call, work = self._taken_up(session, left, State.RUNNING)
            session.calls.table[call.wire_id] = call
            self.calls.begin(call, work)
        log.info(
            "session restored",
            extra={"session": session_id, "calls": len(kept.calls), "unfinished": len(unfinished)},
        )

    def _take_up_detached(self, named: Session, unfinished: list[Unfinished]) -> None:
        """Work that goes on under a handle, which is all that the journal has under that name."""
        for left in unfinished:
            call, work = self._taken_up(named, left, State.DETACHED)
            call.handle = named.id
            DetachedCall(call, named.id, self.calls.detached, named.calls.journal).take_over()
            self.calls.begin(call, work)

    def _taken_up(self, session: Session, left: Unfinished, state: State) -> tuple[Call, Work]:
        """The call of an earlier daemon, and what has its outcome; that is a refusal if it could not be a call of this one."""
        request, kept = left
        try:
            planned = plan(request, self.context.config, self.environment.tools)
        except ExaiError as why:
            planned = impossible(request, why)
        call = session.call_of(request, planned, session.allowed(kept.roots))
        call.state = state
        return call, work_for(call, kept, session.calls.journal, self.predecessor)

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
        journal = self.context.journal
        due = [s for s in self.table.values() if s.rules.acked > s.acked_on_disk]
        acked = self._last_acks | {session.id: session.rules.acked for session in due}
        if journal is None or not acked:
            return
        sure = {one.id: told for one in due if (told := one.handles.sure(acked[one.id]))}
        await journal.acknowledge(acked, sure)
        for name, seq in acked.items():
            if self._last_acks.get(name) == seq:
                del self._last_acks[name]
        for session in due:
            session.acked_on_disk = acked[session.id]
            session.handles.kept(acked[session.id])

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
        taken = wanted is None or wanted in self.table or wanted in self._unusable
        if wanted is not None and not taken:
            return wanted
        return new_name(self.context.clock.now())

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
            del self.table[session.id]
            if self.context.journal is not None:
                self._last_acks[session.id] = session.rules.acked
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
