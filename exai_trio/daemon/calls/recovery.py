"""What becomes of a call that an earlier daemon accepted and did not end: another run, a wait for that daemon, or a refusal."""

import logging
from typing import TYPE_CHECKING

import trio

from exai_trio.errors import CallInterrupted, StorageError
from exai_trio.wire.messages import CallAccepted

from .call_journal import Ledger
from .execution import Call, Outcome, failure_of, outcome_of

if TYPE_CHECKING:
    from ..takeover.predecessor import Remote

log = logging.getLogger("exai.session")

_DISK_AGAIN_S = 1.0


async def outcome_of_a_rerun(ledger: Ledger, call: Call) -> Outcome:
    """Run it once more, counted on disk before it begins."""
    await _note_run(call, ledger)
    call.started = trio.current_time()
    return await outcome_of(call)


async def outcome_from(there: "Remote", ledger: Ledger, call: Call) -> Outcome:
    """What the daemon before us says of the call that runs there; if it is gone, what a rerun gives."""
    return await there.outcome_of(call) or await _outcome_here(ledger, call)


async def _outcome_here(ledger: Ledger, call: Call) -> Outcome:
    nobody_waits = call.shared.draining.is_set() and call.bequeathed is None
    call.left = call.left or nobody_waits  # then it is the next daemon's
    if call.ending is not None or call.left:
        return failure_of(call)
    if not may_run_again(call, call.attempt):
        return failure_of(call, broken_off(call.attempt))
    call.attempt += 1
    call.scope = trio.CancelScope()  # one run has one: the other was of the wait
    return await outcome_of_a_rerun(ledger, call)


async def _note_run(call: Call, ledger: Ledger) -> None:
    """However long the disk takes; a call that is ended meanwhile does not run."""
    while call.ending is None:
        try:
            await ledger.run_again(call)
        except StorageError as fault:
            log.error("run not journalled", extra={"fault": fault.message})  # noqa: TRY400 - the fault says it all
        else:
            return
        await trio.sleep(_DISK_AGAIN_S)


def acceptance_of(call: Call) -> CallAccepted:
    """What its client hears first; also whether it may send the call to another daemon, should this one forget it."""
    return CallAccepted(
        request_id=call.wire_id,
        name=call.tool.name,
        timeout=call.timeout,
        repeatable=may_run_again(call, call.attempt),
    )


def may_run_again(call: Call, attempts: int) -> bool:
    return call.tool.repeatable and attempts < call.shared.config.call_max_attempts


def broken_off(attempts: int) -> CallInterrupted:
    return CallInterrupted(
        "the daemon ended while the call ran, and it is not run again"
        f" (runs so far: {attempts}); the provider may already have done the work. Send it again under a new request_id",
        details={"attempts": attempts},
    )
