"""The calls that run in this daemon, each as long as the store says that it is this daemon's."""

import logging
from collections.abc import Iterable
from functools import partial

import attrs
import trio

from exai_trio import structs
from exai_trio.storage.shared.shared_calls import CallName
from exai_trio.wire.messages import Outcome

from ...calls.call import Call
from ...calls.call_journal import key_of
from ...calls.execution import Work
from ...calls.recovery import broken_off
from .absent_session import AbsentSession
from .stored_outcomes import StoredOutcomes

log = logging.getLogger("exai.cluster")


@structs.define(eq=False)
class Executions:
    """`here` has the scope of each run."""

    outcomes: StoredOutcomes
    here: dict[Call, trio.CancelScope] = attrs.field(factory=dict[Call, trio.CancelScope])

    def guarded(self, work: Work) -> Work:
        """The same work; if another daemon has the call meanwhile, it is to wait for what that one stores."""
        return partial(self._run, work)

    async def _run(self, work: Work, call: Call) -> Outcome:
        with trio.CancelScope() as run:
            self.here[call] = run
            try:
                return await work(call)
            finally:
                del self.here[call]
        return await self.outcomes.outcome(call)

    def names(self) -> list[tuple[str, str, str]]:
        """Session, request and handle of what runs and is in the journal."""
        return [
            (call.recipient.journalled_as, key_of(call.wire_id), call.call_id)
            for call in self.here
            if call.is_recorded and call.recipient.journalled_as is not None
        ]

    def running(self, name: CallName, others: Iterable[Call] = ()) -> Call | None:
        """The one of this name, among these and the others, that will have an outcome here."""
        for call in (*self.here, *others):
            is_named = (call.recipient.journalled_as, key_of(call.wire_id)) == name
            if is_named and not call.is_elsewhere and not self._leaves(call):
                return call
        return None

    def _leaves(self, call: Call) -> bool:
        run = self.here.get(call)
        return call.is_left or (run is not None and run.cancel_called)

    def lose(self, name: CallName) -> None:
        """Another daemon has this call, or it has an outcome."""
        call = self.running(name)
        if call is None:
            return
        log.warning("a call that ran here is another daemon's", extra={"tool": call.tool.name})
        if isinstance(call.recipient, AbsentSession):  # nobody is told anything from here
            call.end(broken_off(call.attempt), leave=True)
        else:
            self.here[call].cancel(reason="another daemon has the call")
