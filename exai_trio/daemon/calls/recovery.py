"""What becomes of a call that an earlier daemon accepted and did not end."""

from functools import partial
from typing import Protocol

import trio

from exai_trio.errors import CallInterrupted
from exai_trio.storage.journal import KeptCall
from exai_trio.system.disk import until_written
from exai_trio.wire.messages import CallAccepted, Outcome

from .call import Call
from .call_journal import CallJournal, key_of
from .execution import Work, run_tool


class RunsElsewhere(Protocol):
    """A call that still runs in another daemon."""

    elapsed_s: float

    async def outcome(self, call: Call) -> Outcome | None:
        """What becomes of it there, in the name of this call of ours; None if that will never be known. If the call is ended here
        its run is ended there. Cancelling for any other reason leaves it running there."""
        ...


class OtherDaemon(Protocol):
    """Where calls may run that the journal has as unfinished."""

    def find(self, session: str, request: str) -> RunsElsewhere | None: ...


def work_for(
    call: Call, left: KeptCall, journal: CallJournal | None, predecessor: OtherDaemon | None
) -> Work:
    """What is to be done to have the outcome of such a call, which takes up what is left of it."""
    assert journal is not None
    call.timeout, call.attempt, call.accepted_at = left.timeout, left.attempts, left.at
    there = predecessor.find(journal.session, key_of(call.wire_id)) if predecessor else None
    if there is not None:
        call.started -= there.elapsed_s
        return partial(_outcome_there, there, journal)
    return partial(_run_again, journal)


async def _outcome_there(there: RunsElsewhere, journal: CallJournal, call: Call) -> Outcome:
    """What that daemon says; if it is gone, what a rerun gives. Cancelled, the call stays open in the journal."""
    return await there.outcome(call) or await _run_again(journal, call)


async def _run_again(journal: CallJournal, call: Call) -> Outcome:
    """Run it once more, counted on disk before it begins, however long that takes. A daemon that leaves begins nothing: the next one
    does, which alone counts by then. Raises CallInterrupted if it may not run. Cancelled, it stays open there, with this run counted or not."""
    if call.context.shutdown.draining:
        call.end(broken_off(call.attempt), leave=True)
    await trio.lowlevel.checkpoint_if_cancelled()  # a call that was ended does not run
    if not may_run_again(call):
        raise call.plan.why_not or broken_off(call.attempt)
    call.attempt, call.is_counted = call.attempt + 1, False
    await until_written(partial(_count_run, journal, call), "run")
    call.is_counted = True
    call.changed.tell()
    call.started = trio.current_time()
    return await run_tool(call)


async def _count_run(journal: CallJournal, call: Call) -> None:
    """Under the name that the journal has the call by now: it may have been detached since it was taken up. Raises StorageError."""
    while not call.recipient.is_settled:
        await call.changed.wait()
    await journal.under(call.recipient.journalled_as or journal.session).run_again(call)


def acceptance_of(call: Call) -> CallAccepted:
    """What its client hears first; also whether it may send the call to another daemon, should this one forget it."""
    return CallAccepted(
        request_id=call.wire_id,
        name=call.tool.name,
        timeout=call.timeout,
        repeatable=may_run_again(call),
    )


def may_run_again(call: Call) -> bool:
    return call.tool.repeatable and call.attempt < call.context.config.call_max_attempts


def broken_off(attempts: int) -> CallInterrupted:
    return CallInterrupted(
        "the daemon ended while the call ran, and it is not run again"
        f" (runs so far: {attempts}); the provider may already have done the work. Send it again under a new request_id",
        details={"attempts": attempts},
    )
