"""This daemon among others: what it believes is compared with the store every two seconds, and what nobody runs is claimed."""

import logging
import platform
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, TypeVar

import attrs
import trio

from exai_trio import __version__, structs
from exai_trio.config import Config, bracketed
from exai_trio.resilience.breakers import Breakers
from exai_trio.storage.journal import KeptCall
from exai_trio.storage.shared.shared_breakers import SharedBreakers
from exai_trio.storage.shared.shared_calls import Compared, DaemonFacts, SharedCalls
from exai_trio.storage.shared.shared_parts import SharedParts
from exai_trio.storage.shared.shared_permits import SharedPermits
from exai_trio.system.disk import fault_of
from exai_trio.transport.websocket import SERVICE_RESTART
from exai_trio.wire.codec import WireError, encode
from exai_trio.wire.messages import Bye, Droppable

from ...calls.call_journal import CallJournal
from ...calls.execution import Work, run_tool
from ...calls.recovery import broken_off
from ...calls.states import State
from ...delivery.outbox import Farewell
from ...sessions.session import Session
from .absent_session import AbsentSession
from .breaker_comparison import BreakerComparison
from .executions import Executions
from .fence import SessionFence
from .lease import next_end_s
from .membership import Membership, open_membership
from .permit_shares import Lane, PermitShares
from .progress_elsewhere import ProgressElsewhere
from .session_table import SessionTable
from .stored_outcomes import StoredOutcomes

T = TypeVar("T")

log = logging.getLogger("exai.cluster")

LOOK_S: Final = 2.0
_AT_ONCE: Final = 50  # calls that are claimed
_BYE: Final = encode(Bye(reason="draining", retry_after_s=0.0))


@structs.define(eq=False)
class Cluster:
    """Made by `of`, run by `run`. `epochs` are those under which sessions were taken last."""

    membership: Membership
    outcomes: StoredOutcomes
    executions: Executions
    permits: SharedPermits
    breakers: SharedBreakers
    progress: ProgressElsewhere
    epochs: dict[str, int] = attrs.field(factory=dict[str, int])
    _sessions: SessionTable | None = None
    # Answers lost when the store was last asked what this daemon has; None: that of a claim, too.
    _settled: int | None = 0
    _woken: trio.Event = attrs.field(factory=trio.Event)

    @classmethod
    def of(
        cls, membership: Membership, permits: SharedPermits, breakers: SharedBreakers
    ) -> "Cluster":
        outcomes = StoredOutcomes()
        progress = ProgressElsewhere(partial(membership.store.say, membership.facts))
        cluster = cls(membership, outcomes, Executions(outcomes), permits, breakers, progress)
        outcomes.look = cluster.look_soon
        return cluster

    @property
    def store(self) -> SharedCalls:
        return self.membership.store

    def find(self, session: str, request: str) -> StoredOutcomes:
        """What becomes of a call, wherever it runs."""
        return self.outcomes

    @property
    def work(self) -> Work:
        """What runs a call that is accepted here."""
        return self.executions.guarded(run_tool)

    def shares(self, lanes: Callable[[], Mapping[str, Lane]]) -> PermitShares:
        """What this daemon has of the permits of all."""
        return PermitShares(self.membership.facts.executor, self.permits, lanes)

    def comparison(
        self, breakers: Breakers, moved: Callable[[str, str, str], None]
    ) -> BreakerComparison:
        """What others have found of providers, and we."""
        return BreakerComparison(self.membership.facts.executor, self.breakers, breakers, moved)

    def look_soon(self) -> None:
        """Compare with the store at once: what it says may concern us."""
        self._woken.set()

    async def take(
        self, session_id: str, principal: str, known: Session | None, visit: int
    ) -> bool:
        """As SharedSessions has it."""
        held, facts = known.epoch if known is not None else 0, self.membership.facts
        epoch = await self.store.take(facts, principal, session_id, held, visit)
        if epoch in (0, held):
            return False
        self.epochs[session_id] = epoch
        if known is not None:
            self.give_up(known)
        return True

    def pages_of(self, session_id: str, principal: str, *, owned: bool) -> tuple[CallJournal, int]:
        """The journal of a session that is taken, or new, and its epoch; 0 where we own no session of that name."""
        epoch = self.epochs.pop(session_id, 1) if owned else 0
        journal = self.store.journal_of(session_id, epoch)
        fence = SessionFence(self.store, self.outcomes, session_id, epoch, self._moved)
        return CallJournal(journal, session_id, principal, fence), epoch

    def give_up(self, session: Session) -> None:
        """Another daemon has it: what runs here runs on for that one."""
        log.info("session is at another daemon", extra={"session": session.id})
        absent = self._absent(session.id)
        for call in session.give_up(absent):
            is_on_disk = call.is_recorded or call.is_doubtful
            if call.state is State.RUNNING and is_on_disk and not call.is_elsewhere:
                call.advance("due")
                call.answer_to(absent)
            elif call.state is not State.ACCEPTING:
                call.end(broken_off(call.attempt), leave=True)

    def _moved(self, session_id: str, epoch: int) -> None:
        session = self._session(session_id)
        if session is not None and session.epoch == epoch:
            self.give_up(session)

    def _session(self, session_id: str) -> Session | None:
        return self._sessions.table.get(session_id) if self._sessions is not None else None

    def _absent(self, session_id: str) -> AbsentSession:
        return AbsentSession(session_id, self.store, self.look_soon, self._offer)

    def _offer(self, session_id: str, message: Droppable) -> None:
        session = self._session(session_id)
        if session is not None:
            session.calls.offer(message)
        else:
            self.progress.offer(session_id, message)

    async def run(self, sessions: SessionTable) -> None:
        """Until cancelled."""
        self._sessions = sessions
        async with trio.open_nursery() as legs:
            legs.start_soon(self._listen)
            legs.start_soon(self.progress.run)
            legs.start_soon(self._mind_lease, sessions)
            claim_at = trio.current_time()
            while True:
                await self._look(sessions)
                if trio.current_time() >= claim_at:
                    await self._claim(sessions)
                    known = await _unless_away(self.store.daemons) or ()
                    self.membership.known = known or self.membership.known
                    ends_s = next_end_s(one.lease_s for one in known)
                    claim_at = trio.current_time() + min(LOOK_S, ends_s)
                with trio.move_on_at(claim_at):
                    await self._woken.wait()

    async def _look(self, sessions: SessionTable) -> None:
        self._woken = trio.Event()
        held = {one.id: one for one in sessions.table.values() if one.epoch}
        epochs = {name: session.epoch for name, session in held.items()}
        running, waiting = self.executions.names(), self.outcomes.names()
        shutdown = sessions.calls.context.shutdown
        self.membership.is_leaving = shutdown.draining
        if shutdown.replaced or not (held or running or waiting):
            return
        compare = partial(self.store.compare, self.membership.facts, epochs, running, waiting)
        found = await _unless_away(compare)
        if found is not None:
            self._apply(found, held)

    def _apply(self, found: Compared, held: dict[str, Session]) -> None:
        for session_id in found.superseded:
            self.give_up(held[session_id])
        for name in found.lost:
            self.executions.lose(name)
        for name, frame in found.stored.items():
            self.outcomes.hear(name, frame)

    async def _claim(self, sessions: SessionTable) -> None:
        """Run what nobody runs."""
        member, open_calls = self.membership, sessions.calls.open
        if sessions.calls.context.shutdown.draining or not member.may_serve:
            return
        lost = self.store.answers_lost
        anew = lost != self._settled
        most = _AT_ONCE + (len(open_calls) if anew else 0)
        claim = partial(
            self.store.claim, member.facts, others=member.may_claim, anew=anew, most=most
        )
        claimed = await _unless_away(claim)
        self._settled = None if claimed is None else lost
        for kept in claimed or ():
            self._run_claimed(sessions, kept)

    def _run_claimed(self, sessions: SessionTable, kept: KeptCall) -> None:
        name = kept.session, kept.request
        here = self.executions.here
        ours = self.executions.running(name, sessions.calls.open)
        if ours is not None and (ours in here or name not in self.outcomes.names()):
            ours.attempt = max(ours.attempt, kept.attempts)
            return
        log.warning("call claimed", extra={"session": kept.session, "attempts": kept.attempts})
        try:
            sessions.run_claimed(kept, self._absent(kept.session), self.executions.guarded)
        except (WireError, TypeError) as fault:
            log.error("claimed call not understood", extra={"fault": str(fault)})

    async def _listen(self) -> None:
        """What is heard only hastens, or is progress."""
        while True:
            await fault_of(self._hear)  # which the store has told
            await trio.sleep(LOOK_S)

    async def _hear(self) -> None:
        async with self.store.listening(self.membership.facts) as hear:
            while True:
                heard = await hear()
                self.outcomes.repeat(heard.said)
                if heard.is_news:
                    self.look_soon()

    async def _mind_lease(self, sessions: SessionTable) -> None:
        """When the lease may soon be over, clients are sent to other daemons, and what may not run twice ends."""
        member = self.membership
        while True:
            await trio.sleep_until(member.lease.serves_until)
            if member.may_serve:
                continue
            if sessions.calls.context.shutdown.replaced:
                return  # the next process of this home has the lease
            self._cut_off(sessions)
            while not member.may_serve:
                await member.renewed.wait()

    def _cut_off(self, sessions: SessionTable) -> None:
        log.error(
            "no lease: the daemon takes nothing", extra={"running": len(self.executions.here)}
        )
        for session in sessions.table.values():
            if session.calls.is_kept and session.outbox is not None:
                session.outbox.put(_BYE)
                session.outbox.close(Farewell(SERVICE_RESTART, "draining"))
        for call in self.executions.here:
            if not call.tool.repeatable:
                call.end(broken_off(call.attempt))


async def _unless_away(ask: Callable[[], Awaitable[T]]) -> T | None:
    """None if the store does not answer, which it has told: it is asked again."""
    answers: list[T] = []

    async def note() -> None:
        answers.append(await ask())

    await fault_of(note)
    return answers[0] if answers else None


@asynccontextmanager
async def open_cluster(
    config: Config, home: str, boot_id: str, shared: SharedParts
) -> AsyncGenerator[Cluster]:
    """Among the daemons of this store, until the block is left. Raises ServiceUnavailableError if another living one has our name.
    Cancelling leaves them."""
    facts = DaemonFacts(
        executor=home,
        name=config.daemon_name or platform.node(),
        boot_id=boot_id,
        address=f"{bracketed(config.ws_host)}:{config.ws_port}",
        version=__version__,
    )
    async with open_membership(facts, shared.calls) as membership:
        yield Cluster.of(membership, shared.permits, shared.breakers)
