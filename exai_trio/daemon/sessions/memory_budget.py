"""What the daemon holds in memory for its clients, and whom it lets go of when that is too much. Pure: no trio, no clock, no I/O.

The sum: all sessions together hold at most `most` bytes, and those whose clients do not read at most `idle` of them. Both may be
passed for a moment by what comes between two looks. To that come the calls' own arguments, which count too, but only
keep further large calls out: a running call is not thrown away.
"""

from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.errors import OverCapacityError

SESSION_BYTES: Final = 32 * 1024  # an empty one, with its share of the connection
SHARE_BYTES: Final = 256 * 1024  # so much is allowed to everybody, also when memory is short
_IDLE_BYTES: Final = 64 * 2**20
_ENOUGH: Final = 0.75  # of a limit is what is left after a look that found it passed

Whose = TypeVar("Whose")


@structs.frozen
class Weight(Generic[Whose]):
    """`idle`: its client is away, or takes nothing of what is sent."""

    whose: Whose
    held: int
    idle: bool


@structs.define
class MemoryBudget:
    """`held` is what the last look found, in bytes."""

    most: int
    idle: int = _IDLE_BYTES
    held: int = 0

    @classmethod
    def of(cls, config: Config) -> "MemoryBudget":
        """As much as the calls that may run at once may bring along."""
        return cls(max(2 * _IDLE_BYTES, config.ws_global_max_inflight * config.tool_call_max_size))

    def check(self, size: int, held: Callable[[], int]) -> None:
        """Raises OverCapacityError if one that holds so much, which is asked only where it matters, may not bring so much more."""
        if self.held + size > self.most and held() + size > SHARE_BYTES:
            raise OverCapacityError(
                "the daemon holds too much for its clients at the moment; large requests, and those of clients that"
                " leave much unread, must wait",
                retry_after_s=1.0,  # audit: duration, because it is a hint to the client, who decides
                details={"limit": "memory", "held": self.held},
            )

    def look(self, weights: Sequence[Weight[Whose]]) -> list[Whose]:
        """Note what is held. Returns who must go: of the idle ones the heaviest, and only then of the others."""
        self.held = sum(one.held for one in weights)
        idle = sum(one.held for one in weights if one.idle)
        over = max(_excess(self.held, self.most), _excess(idle, self.idle))
        gone: list[Whose] = []
        for one in sorted(weights, key=lambda one: (not one.idle, -one.held)):
            if over <= 0:
                break
            gone.append(one.whose)
            over -= one.held
        return gone


def _excess(held: int, most: int) -> float:
    return held - _ENOUGH * most if held > most else 0.0
