"""Permits of a provider belong to the account: daemons that share a store share them, too.

No call waits for the store: each daemon has a share, asks for another every RENEW_S, and at once when a request waits for a permit. It
stops using what it gives away before it says so; what it gets, it uses only once it is told.
"""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, Protocol

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.resilience.fair_shares import fair_share
from exai_trio.storage.shared.shared_permits import Dealt, LaneAsk, SharedPermits

log = logging.getLogger("exai.cluster")

RENEW_S: Final = 1.5
_SOON_S: Final = 0.25  # while a daemon has not what it should have


class Lane(Protocol):
    """The permits of one provider; `on_shortage` is called for whoever has to wait for one."""

    on_shortage: Callable[[], None]

    @property
    def share(self) -> int | None:
        """How many of them are this daemon's, None for all."""
        ...

    @share.setter
    def share(self, share: int | None) -> None: ...

    @property
    def configured(self) -> int: ...

    @property
    def demand(self) -> int:
        """How many are held or waited for."""
        ...

    @property
    def held(self) -> int: ...


@structs.define(eq=False)
class PermitShares:
    """Of one daemon; `lanes` tells those of now."""

    daemon: str
    store: SharedPermits
    lanes: Callable[[], Mapping[str, Lane]]
    _dealt: Dealt = attrs.field(factory=lambda: Dealt(lanes={}, turn=0))
    _unsettled: trio.Event = attrs.field(factory=trio.Event)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled; what it has then is free again after a lease. Started once it has asked: until then nothing is its own."""
        for lane in self.lanes().values():
            lane.share = 0
        await self._renew()
        task_status.started()
        while True:
            await trio.sleep(_SOON_S)
            with trio.move_on_after(RENEW_S - _SOON_S):
                await self._unsettled.wait()
            self._unsettled = trio.Event()
            await self._renew()

    async def _renew(self) -> None:
        """A store that does not answer leaves each its share."""
        lanes = self.lanes()
        fair = {name: self._fair(name, lane) for name, lane in lanes.items()}
        asked = {name: self._asked(name, lane, fair[name]) for name, lane in lanes.items()}
        try:
            self._dealt = await self.store.share(self.daemon, asked)
        except StorageError as fault:
            log.debug("permits not shared anew", extra={"fault": fault.message})
            return
        for name, dealt in self._dealt.lanes.items():
            lane = lanes[name]
            lane.share = min(dealt.share, fair[name])
            self._note_shortage(name, lane)

    def _others(self, name: str) -> Mapping[str, int]:
        known = self._dealt.lanes.get(name)
        return known.others if known else {}

    def _fair(self, name: str, lane: Lane) -> int:
        """A daemon without work keeps one for the next request, as long as nobody else wants it."""
        others = self._others(name)
        if not lane.demand:
            return int(sum(others.values()) < lane.configured)
        wants = {**others, self.daemon: lane.demand}
        return fair_share(lane.configured, wants, self.daemon, self._dealt.turn)

    def _asked(self, name: str, lane: Lane, fair: int) -> LaneAsk:
        """What it has in use is its own until it is given back, and nothing is begun with it then."""
        lane.on_shortage = partial(self._note_shortage, name, lane)
        lane.share = min(fair, lane.share or 0)
        holds = max(lane.share, lane.held)
        return LaneAsk(
            capacity=lane.configured, holds=holds, share=max(fair, holds), wanted=lane.demand
        )

    def _note_shortage(self, name: str, lane: Lane) -> None:
        """It asks again soon if that may change something."""
        share = lane.share or 0
        if lane.held > share or share < self._fair(name, lane):
            self._unsettled.set()
