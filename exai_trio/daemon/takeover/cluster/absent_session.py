"""Whom a call answers whose client is at another daemon, or at none: the store."""

from collections.abc import Callable
from functools import partial

from exai_trio import structs
from exai_trio.storage.journal import KeptOutcome
from exai_trio.storage.shared.shared_calls import UNNUMBERED, SharedCalls
from exai_trio.wire.codec import encode
from exai_trio.wire.messages import Droppable, Outcome

from ...calls.call import Call, Delivery
from ...calls.call_journal import key_of
from .fence import keep


@structs.frozen(eq=False)
class AbsentSession:
    """The Recipient of a call whose outcome is stored without a number, for the owner of the session to tell. `stored` says that one
    is; `offer_here` has what is said meanwhile told if that owner is this daemon."""

    journalled_as: str
    store: SharedCalls
    stored: Callable[[], None]
    offer_here: Callable[[str, Droppable], None]
    is_kept: bool = True
    is_settled: bool = True

    def offer(self, message: Droppable) -> None:
        self.offer_here(self.journalled_as, message)

    def take(self, call: Call, outcome: Outcome) -> Delivery:
        now = call.context.clock.now()
        kept = KeptOutcome(seq=UNNUMBERED, frame=encode(outcome), at=now)
        return partial(self._keep, call, kept), self.stored

    async def _keep(self, call: Call, kept: KeptOutcome) -> None:
        await keep(self.store, (self.journalled_as, key_of(call.wire_id)), call, kept)

    def forget(self, call: Call) -> None:
        """It is in no table."""
