"""Whose turn it is to write to a stream: one at a time, in the order in which they came."""

import trio

from exai_trio import structs


@structs.define(eq=False, repr=False, weakref_slot=False)  # small: one for each connection
class WriteTurn:
    """As trio's fair lock, but small, and taking it while it is free costs no turn of the scheduler."""

    is_taken: bool = False
    _waiting: trio.lowlevel.ParkingLot | None = None

    def take_nowait(self) -> None:
        """Only while it is not taken."""
        self.is_taken = True

    async def take(self) -> None:
        """Return once it is ours, until it is given back. Cancelled meanwhile, it never is."""
        if self.is_taken:
            self._waiting = self._waiting or trio.lowlevel.ParkingLot()
            await self._waiting.park()
        self.is_taken = True

    def give_back(self) -> None:
        """Whoever has waited longest has it now."""
        if self._waiting:
            self._waiting.unpark()
        else:
            self.is_taken, self._waiting = False, None

    def __repr__(self) -> str:
        return (
            f"<WriteTurn {'taken' if self.is_taken else 'free'} waiting={len(self._waiting or ())}>"
        )
