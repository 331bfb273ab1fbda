"""All sessions of the daemon: who may take which, the nursery they live in, and those that outlived an earlier daemon."""

import logging
import secrets

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import ExaiError, StorageError
from exai_trio.principals import principal_of
from exai_trio.storage.journal import Journal, KeptSession
from exai_trio.storage.sqlite.errors import Unreadable
from exai_trio.transport.websocket import INTERNAL
from exai_trio.wire.codec import WireError
from exai_trio.wire.messages import Hello

from ..calls.call_journal import restore
from ..calls.limits import allowed_roots
from ..context import Shared
from ..delivery.outbox import Farewell, Outbox
from ..takeover.predecessor import Elsewhere
from .session import Session, open_session
from .session_names import may_be_named, session_name

log = logging.getLogger("exai.session")

_PATIENCE_S = 15.0  # so long clients are sent away for a journal that cannot be read
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"


@structs.define(eq=False)
class Sessions:
    """`living` is the nursery of the sessions; whoever opened it ends them; `table` has them by id. `elsewhere` is the daemon that we replaced."""

    shared: Shared
    living: trio.Nursery
    elsewhere: Elsewhere | None = None
    restored: bool = False
    table: dict[str, Session] = attrs.field(factory=dict[str, Session])
    _unusable: set[str] = attrs.field(factory=set[str])  # what the journal has of them is broken
    _unread_since: dict[str, float] = attrs.field(factory=dict[str, float])
    _last_acks: dict[str, int] = attrs.field(factory=dict[str, int])  # of sessions that have ended

    async def adopt(self, session: Session) -> None:
        """A session that no client has, for a call that was handed over."""
        await self.living.start(self._live, session)

    async def join(self, hello: Hello, principal: str, outbox: Outbox) -> tuple[Session, bool]:
        """The session that this client continues, or a new one; attached to `outbox`. True if it was continued.

        Raises StorageError while it may have one in a journal that cannot be read.
        """
        principal = principal_of(principal)
        wanted = hello.session_id if may_be_named(hello.session_id) else None
        try:
            known, wanted = await self._wanted(principal, wanted)
        except StorageError as fault:
            log.error("session not read", extra={"fault": fault.message})  # noqa: TRY400 - the fault says it all
            if hello.last_seq and self._is_patient(wanted or ""):
                raise
            known = wanted = None  # under its own name it would be taken for what is there
        if known is not None:
            continued = known.is_continued_by(hello.last_seq)
            self._attach(known, hello, outbox, hello.last_seq if continued else 0)
            return known, continued
        session = open_session(self._new_id(wanted), principal, self.shared)
        self._last_acks.pop(session.id, None)  # of an earlier life, with numbers of its own
        self.table[session.id] = session
        self._attach(session, hello, outbox, 0)
        await self.living.start(self._live, session)
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
        """The session of this id, brought back from the journal if it is not among the living."""
        journal = self.shared.journal
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
        is broken costs no other anything. Raises StorageError."""
        journal = self.shared.journal
        if journal is None:
            return
        for session_id in await journal.unfinished():
            if session_id not in self.table and session_id not in self._unusable:
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
        self.shared.facts.troubles.note("sessions", text)

    async def _bring_back(self, session_id: str, kept: KeptSession) -> None:
        session = open_session(session_id, kept.calls[0].principal, self.shared)
        try:
            unfinished = restore(session.rules, kept, self.shared.now())
        except (WireError, TypeError) as fault:
            self._leave_lying(session_id, fault)
            return
        session.acked_on_disk, session.spoken_to = kept.acked, True
        await self._note_base(session)
        if session_id in self.table:  # another connection was faster
            return
        self.table[session_id] = session
        await self.living.start(self._live, session)
        if session.running.ledger is not None:
            for left in unfinished:
                session.take_up(left, session.running.ledger, self.elsewhere)
        log.info(
            "session restored",
            extra={"session": session_id, "calls": len(kept.calls), "unfinished": len(unfinished)},
        )

    async def _note_base(self, session: Session) -> None:
        """The next daemon must give other numbers than this one, also if nothing else of this one's is written down."""
        if self.shared.journal is not None:
            try:
                await self.shared.journal.number_from(session.id, session.rules.last_seq)
            except StorageError as fault:
                log.error("numbers not journalled", extra={"fault": fault.message})  # noqa: TRY400 - as above

    async def note_acks(self) -> None:
        """Tell the journal what the clients have acknowledged since the last time. Raises StorageError."""
        journal = self.shared.journal
        due = [s for s in self.table.values() if s.rules.acked > s.acked_on_disk]
        acked = self._last_acks | {session.id: session.rules.acked for session in due}
        if journal is None or not acked:
            return
        await journal.acknowledge(acked)
        for name, seq in acked.items():
            if self._last_acks.get(name) == seq:
                del self._last_acks[name]
        for session in due:
            session.acked_on_disk = acked[session.id]

    def _attach(self, session: Session, hello: Hello, outbox: Outbox, last_seq: int) -> None:
        if hello.roots is not None:
            session.roots = allowed_roots(self.shared.config, session.principal, hello.roots)
        most = self.shared.config.ws_max_bytes
        session.mail.max_frame = min(hello.max_frame_bytes or most, most)
        session.attach(outbox, protocol=hello.protocol, last_seq=last_seq)

    def _new_id(self, wanted: str | None) -> str:
        taken = wanted is None or wanted in self.table or wanted in self._unusable
        if wanted is not None and not taken:
            return wanted
        letters = "".join(secrets.choice(_BASE36) for _ in range(25))
        return f"session_{self.shared.now() * 1000:.0f}_{letters}"

    async def _live(  # noqa: ASYNC128 - hands task_status on
        self, session: Session, task_status: trio.TaskStatus[None]
    ) -> None:
        """Run the session's calls until it is abandoned; then nobody can join it, and its calls are cancelled.

        Raises nothing but Cancelled: a fault of ours costs this session its connection and its runs, and no other anything.
        What the journal has of it is there for the client that comes back.
        """
        self.shared.figures.sessions += 1
        try:
            await self._run(session, task_status)
        except* Exception:
            log.exception("session crashed", extra={"session": session.id})
            if session.outbox is not None:
                session.outbox.close(Farewell(INTERNAL, "the session crashed"))
        finally:
            self.shared.figures.sessions -= 1

    async def _run(self, session: Session, task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as running:
            session.begin(running)
            task_status.started()
            try:
                await session.wait_abandoned()
            finally:
                session.end()  # before the nursery closes: nothing can be started in a closed one
                del self.table[session.id]
                if self.shared.journal is not None:
                    self._last_acks[session.id] = session.rules.acked
            running.cancel_scope.cancel(reason="the session's client did not come back")

    def outboxes(self) -> list[Outbox]:
        """Of all clients that are connected now."""
        return [session.outbox for session in self.table.values() if session.outbox is not None]

    def leave_calls(self, why: ExaiError) -> None:
        """Stop every call: what the next daemon may run again stays open, the rest ends with `why`."""
        for session in self.table.values():
            session.running.leave_all(why)
