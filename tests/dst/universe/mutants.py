"""Bugs to be planted: each is a promise broken in one place, for the length of a block."""

from contextlib import AbstractContextManager, suppress

import attrs
import trio

from exai_trio.daemon.calls import detached_calls, execution, recovery, session_calls
from exai_trio.daemon.sessions import session_registry
from exai_trio.daemon.sessions.session import Session
from exai_trio.daemon.takeover.successor import Successor, Transferred, interrupted
from exai_trio.errors import StorageError
from exai_trio.storage.group_commit import GroupCommit
from exai_trio.wire.messages import CallCancelling
from exai_trio.wire.session_rules import SessionRules

from . import mutants_of_the_log as log, mutants_of_the_wire as wire
from .planting import Bug, instead

_PATIENT_S = 20.0


def ack_before_the_journal() -> AbstractContextManager[None]:
    """The acceptance is let go before the call is on disk."""

    def made(_original):
        async def record(self, call, journal, seq):
            held = self.sender._held[call.wire_id]
            self.sender._put(self.sender._queue.free(held))
            with suppress(StorageError):
                await journal.accept(call, seq=seq, resumable=True)

        return record

    return instead(session_calls.SessionCalls, "_record", made)


def permit_released_twice() -> AbstractContextManager[None]:
    """A call that ends gives back one permit more than it took."""

    def made(original):
        async def leave(self, *raised):
            await original(self, *raised)
            self.call.environment.permits.total_tokens += 1

        return leave

    return instead(execution._Permit, "__aexit__", made)


def replay_without_dedup() -> AbstractContextManager[None]:
    """A request that is sent again is taken for a new one."""

    def made(original):
        def submit(self, call, objection=None):
            if self.is_running(call.request_id):
                self._known.pop(call.request_id)
                self.running -= 1
            return original(self, call, objection)

        return submit

    return instead(SessionRules, "submit", made)


def handle_without_the_journal() -> AbstractContextManager[None]:
    """A call is handed over in memory only."""

    def made(original):
        async def keep(self, home, _write):
            await original(self, home, trio.lowlevel.checkpoint)

        return keep

    return instead(detached_calls.DetachedCall, "keep", made)


def replaced_before_the_disk_has_it() -> AbstractContextManager[None]:
    """A successor is let in while acceptances, handles and outcomes are on their way to the disk."""

    def made(original):
        def transfer_settled(self):
            original(self)
            return False

        return transfer_settled

    return instead(Successor, "_transfer_settled", made)


def withdrawn_goes_on() -> AbstractContextManager[None]:
    """A client's cancel is confirmed, and nothing is ended."""

    def made(original):
        def cancel(self, request, objection=None):
            call = self.calls.table.get(request.request_id)
            if call is not None and call.is_cancellable and objection is None:
                self.sender.deliver(
                    self.rules.number(CallCancelling(request_id=request.request_id))
                )
            else:
                original(self, request, objection)

        return cancel

    return instead(Session, "cancel", made)


def cancelled_write_is_settled() -> AbstractContextManager[None]:
    """A write that nobody waits for any more does not count as the thread's."""

    def made(original):
        async def write(self, work, *, done=None):
            left = []

            def settled(result):
                self._unsettled += len(left)  # it was taken off already
                if done is not None:
                    done(result)

            try:
                return await original(self, work, done=settled)
            except trio.Cancelled:
                if self._unsettled:
                    self._unsettled -= 1
                    left.append(work)
                raise

        return write

    return instead(GroupCommit, "write", made)


def replaced_daemon_cuts() -> AbstractContextManager[None]:
    """After EXAI_DRAIN_S a replaced daemon ends also the calls that its successor answers."""

    def made(_original):
        async def end_what_stays(self):
            await trio.sleep(self.calls.context.config.drain_s)
            for call in self.calls.open:
                call.end(interrupted(0.0))

        return end_what_stays

    return instead(Successor, "_end_what_stays", made)


def acceptance_says_nothing() -> AbstractContextManager[None]:
    """A client without a journal behind it may send everything again."""
    return instead(recovery, "may_run_again", lambda _original: lambda _call: True)


def outcome_forgotten_at_start() -> AbstractContextManager[None]:
    """A daemon that starts takes every call in the journal for open."""

    def made(original):
        def restore(rules, kept, now):
            open_ = tuple(attrs.evolve(call, outcome=None) for call in kept.calls)
            return original(rules, attrs.evolve(kept, calls=open_), now)

        return restore

    return instead(session_registry, "restore", made)


def run_that_is_not_counted() -> AbstractContextManager[None]:
    """A rerun is not written down: each daemon takes its own for the second."""

    def made(_original):
        async def count_run(_journal, _call):
            await trio.lowlevel.checkpoint()

        return count_run

    return instead(recovery, "_count_run", made)


def outcome_for_a_successor_may_be_dropped() -> AbstractContextManager[None]:
    """What took long is told like progress, by a box that is full."""

    def made(original):
        def take(self, call, outcome):
            _, tell = original(self, call, outcome)
            return None, tell if call.elapsed < _PATIENT_S else _nothing

        return take

    return instead(Transferred, "take", made)


def _nothing() -> None:
    """Not told."""


BUGS = (
    Bug(handle_without_the_journal, "before that was on disk", seed=2),
    Bug(ack_before_the_journal, "accepted before it was on disk", seed=2),
    Bug(permit_released_twice, "permits are", seed=2),
    Bug(replay_without_dedup, "ran twice in one daemon", seed=1),
    Bug(replaced_before_the_disk_has_it, "at once", seed=4),
    Bug(withdrawn_goes_on, "runs on", seed=11),
    Bug(cancelled_write_is_settled, "while its thread did", seed=2, storm_h=0.1),
    Bug(replaced_daemon_cuts, "no daemon that ran it was cut", seed=4),
    Bug(acceptance_says_nothing, "times", seed=1),
    Bug(outcome_forgotten_at_start, "after its outcome was told", seed=11),
    Bug(run_that_is_not_counted, "times", seed=1),
    Bug(outcome_for_a_successor_may_be_dropped, "no daemon that ran it was cut", seed=8),
    Bug(wire.lost_wake_up, "is never answered", seed=2, storm_h=0.05),
    Bug(wire.reader_that_awaits_a_call, "a ping was not answered", seed=3),
    Bug(wire.task_left_behind, "tasks at the end", seed=7, storm_h=0.05),
    Bug(wire.request_left_behind, "left at the end", seed=5, storm_h=0.1),
    Bug(wire.frame_over_the_limit, "is never answered", seed=45, storm_h=0.1),
    Bug(wire.answer_that_dawdles, "after its tool had ended, in peace", seed=2, storm_h=0.1),
    Bug(wire.shim_forgets_what_came_while_it_sent, "in peace", seed=2, storm_h=0.1),
    Bug(log.record_that_is_not_written, "was accepted before it was on disk", seed=2),
    Bug(log.segment_removed_before_it_is_folded, "on disk", seed=6),
    Bug(log.segment_folded_twice, "was folded twice", seed=8),
    Bug(log.torn_record_believed, "was not kept aside", seed=11),
    Bug(log.checksum_not_looked_at, "was not kept aside", seed=11),
)
