"""How outcomes are kept where other daemons may have taken the call: the one that counts is told, whosever it is."""

from collections.abc import Callable

import attrs

from exai_trio import structs
from exai_trio.storage.journal import KeptOutcome
from exai_trio.storage.shared.shared_calls import CallName, FinishedAs, SharedCalls

from ...calls.call import Call
from ...calls.call_journal import key_of
from ...calls.detached_calls import OUTCOME_SEQ
from .stored_outcomes import StoredOutcomes


async def keep(
    store: SharedCalls, name: CallName, call: Call, outcome: KeptOutcome, epoch: int = 0
) -> FinishedAs:
    """What becomes of the outcome of this run. Raises StorageError; cancelling leaves it kept or not."""
    became = await store.finish(name, outcome, epoch=epoch, attempt=call.attempt)
    if became == "stands" and not call.is_elsewhere:
        # The owner of the session may have told a handle: then the work went on under that.
        under_handle = attrs.evolve(outcome, seq=OUTCOME_SEQ)
        handle = call.call_id, name[1]
        await store.finish(handle, under_handle, epoch=0, attempt=call.attempt)
    return became


@structs.frozen(eq=False)
class SessionFence:
    """Of a session that this daemon owns under `epoch`. `moved` has it given up, since it owns it no more."""

    store: SharedCalls
    outcomes: StoredOutcomes
    session: str
    epoch: int
    moved: Callable[[str, int], None]

    def give_up(self) -> None:
        self.moved(self.session, self.epoch)

    async def finish(self, name: str, call: Call, outcome: KeptOutcome) -> str | None:
        """Keep the outcome of a call that is journalled under this name. Returns the one that counts, if it is another, once there is one.
        Raises StorageError; cancelling leaves it kept or not."""
        key = name, key_of(call.wire_id)
        epoch = self.epoch if name == self.session else 0
        became, stands = await keep(self.store, key, call, outcome, epoch), None
        if became == "stands":
            stands = await self.outcomes.frame(lambda: key)
        if stands is not None:
            numbered = attrs.evolve(outcome, frame=stands)
            became = await self.store.finish(key, numbered, epoch=epoch, attempt=0)
        if became != "kept" and epoch:
            self.moved(self.session, epoch)
        return stands
