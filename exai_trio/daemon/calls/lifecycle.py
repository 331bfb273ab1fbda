"""All calls of the daemon, in a nursery of their own, and the way of each from its admission to its kept outcome.

The nursery outlives sessions and connections: a call answers whoever is its recipient when it ends. With a journal it is on
disk before its acceptance goes out, and its outcome before that does; these waits are in the call's own task.
"""

import logging
import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import ExaiError
from exai_trio.observability.events import CallBegun, CallLeft
from exai_trio.system.change import Change
from exai_trio.system.disk import until_written
from exai_trio.wire.messages import CallFailed, Outcome

from ..context import DaemonContext
from .call import Call, Delivery
from .call_log import publish_end, sign_logs
from .detached_calls import DetachedCall, detach
from .execution import Work, failure_of, note_fault, outcome_of, run_tool
from .large_outcomes import fitting
from .recovery import may_run_again
from .session_calls import SessionCalls
from .states import KEPT_OPEN, OVER, RUNS, UNTOLD, WORKING, State

log = logging.getLogger("exai.session")

_DISK_PATIENCE_S: Final = 10.0  # so long an outcome waits for a disk that does not take it


@structs.define(eq=False)
class Calls:
    """All calls that are not over, and those that go on under a handle, by that; `changed` tells of each new state of any, and of what
    else their clients are sent. `work` is what is done to run one."""

    context: DaemonContext
    open: dict[Call, None] = attrs.field(factory=dict[Call, None])
    detached: dict[str, DetachedCall] = attrs.field(factory=dict[str, DetachedCall])
    changed: Change = attrs.field(factory=Change)
    work: Work = run_tool
    _nursery: trio.Nursery | None = None
    _next_handle_at: float = math.inf
    _sooner: Change = attrs.field(factory=Change)

    async def run(  # noqa: ASYNC128 - says when it has begun
        self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Run what is begun, until cancelled: then every call is cut, and stays open in the journal."""
        async with trio.open_nursery() as calls:
            self._nursery = calls
            task_status.started()
            try:
                await self._give_handles()
            finally:
                self._nursery = None

    def begin(self, call: Call, work: Work | None = None) -> None:
        """Run it in a task of its own, to its end; once all calls are cut, none is begun."""
        if self._nursery is not None:
            self.open[call] = None
            self._nursery.start_soon(
                self._live, call, work or self.work, name=f"call {call.tool.name}"
            )

    def working(self) -> list[Call]:
        """Those whose tools run, here or in the daemon that we replaced."""
        return [call for call in self.open if call.state in WORKING]

    def running(self) -> int:
        """How many were accepted and have no outcome yet."""
        return sum(call.state in RUNS for call in self.open)

    def journalled(self) -> int:
        """How many are on our disk as accepted and not ended."""
        return sum(call.state in KEPT_OPEN for call in self.open)

    async def wait_none(self) -> None:
        """Return when none is open. Cancelling leaves nothing behind."""
        while self.open:
            await self.changed.wait()

    def cut(self) -> None:
        """End the tasks of all calls: the journal has them as they are."""
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel(reason="the calls are left to the next daemon")

    def leave_all(self, why: ExaiError) -> None:
        """Stop every call. What the next daemon may run again stays open; the others have `why` as outcome. One that is being
        ended already keeps its own."""
        for call in self.open:
            may_go_on = call.is_elsewhere or may_run_again(call)
            call.end(why, leave=call.recipient.is_kept and may_go_on)

    async def _live(self, call: Call, work: Work) -> None:
        """A fault of ours ends this call alone; cut, it stays as the journal has it."""
        sign_logs(call)
        try:
            await self._to_its_end(call, work)
        except Exception as bug:  # noqa: BLE001 - the border of a call; logged in note_fault
            _give_up(call, note_fault(call, bug))
        finally:
            self._end(call)
        if isinstance(call.recipient, DetachedCall):
            await call.recipient.outlive(self.context.config.session_grace_s)

    async def _to_its_end(self, call: Call, work: Work) -> None:
        resumed = call.state is not State.ADMITTED
        if isinstance(call.recipient, SessionCalls) and not resumed:
            await call.recipient.accept(call)
        if call.state in OVER:
            return
        self.context.events.publish(CallBegun(tool=call.tool.name, resumed=resumed))
        self._expect_handle(call)
        outcome = await outcome_of(call, partial(fitting, work))
        if call.is_left and isinstance(outcome, CallFailed) and call.state is not State.TRANSFERRED:
            call.advance("left")
        else:
            await _conclude(call, outcome)

    def _end(self, call: Call) -> None:
        del self.open[call]
        if call.place is not None:
            call.place.give_back()
        if call.state in UNTOLD:
            self.context.events.publish(CallLeft(tool=call.tool.name))
        call.recipient.forget(call)
        self.changed.tell()

    def _expect_handle(self, call: Call) -> None:
        if call.handle_at < self._next_handle_at:
            self._next_handle_at = call.handle_at
            self._sooner.tell()

    async def _give_handles(self) -> None:
        """Answer each call with a handle at its time, until cancelled. What a successor has taken is its own to answer."""
        while True:
            with trio.move_on_at(self._next_handle_at):
                await self._sooner.wait()
            now = trio.current_time()
            if now < self._next_handle_at:
                continue
            due = [one for one in self.open if one.handle_at <= now]
            self._next_handle_at = min(
                (one.handle_at for one in self.open if one.handle_at > now), default=math.inf
            )
            if not self.context.shutdown.replaced:
                for call in due:
                    self._detach(call)

    def _detach(self, call: Call) -> None:
        assert self._nursery is not None and isinstance(call.recipient, SessionCalls)  # noqa: PT018 - it is RUNNING
        self._nursery.start_soon(detach(call, call.recipient, self.detached))


async def _conclude(call: Call, outcome: Outcome) -> None:
    """Put the outcome on disk, then tell it. A disk that does not take it for long keeps nobody from hearing it, and gets it
    later; so does one that was not waited for before. Cancelled before it is told, the call stays open in the journal, or ended there."""
    call.advance("ended")
    call.chunks.flush()
    write, tell = _delivery(call, outcome)
    late = call.is_doubtful
    began = call.elapsed
    if write is not None and not late:
        late = not await _is_written(call, write)
    call.waits.waited("outcome journalled", began, call.elapsed)
    tell()
    if call.state is State.PASSED_ON:
        return
    call.advance("told late" if late else "kept")
    publish_end(call, outcome)
    if write is not None and late:
        await until_written(write, "late outcome")
        call.advance("kept")


async def _is_written(call: Call, write: Callable[[], Awaitable[None]]) -> bool:
    if call.context.config.is_shared:  # told before it counts, it might be told twice
        await until_written(write, "outcome")
        return True
    with trio.move_on_after(_DISK_PATIENCE_S) as patience:
        await until_written(write, "outcome")
    return not patience.cancelled_caught


def _delivery(call: Call, outcome: Outcome) -> Delivery:
    try:
        return call.recipient.take(call, outcome)
    except Exception as bug:  # noqa: BLE001 - an answer that cannot be sent; logged in note_fault
        return call.recipient.take(call, failure_of(call, note_fault(call, bug)))


def _give_up(call: Call, fault: ExaiError) -> None:
    """A fault of ours before the call was accepted is its refusal; afterwards its outcome is told already."""
    if isinstance(call.recipient, SessionCalls) and call.state in {State.ADMITTED, State.ACCEPTING}:
        call.recipient.refuse(call, fault)
