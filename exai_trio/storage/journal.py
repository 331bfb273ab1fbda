"""What the daemon asks of its journal: calls it has accepted and how they ended, kept over its own death.

No SQL here. A call is kept until its outcome is acknowledged and swept, or for KEPT_S after its outcome and a grace; one that
may be asked for by a handle is kept so long even if it is acknowledged.
"""

from collections.abc import Mapping
from typing import Final, Protocol

from exai_trio import structs

KEPT_S: Final = 48 * 3600.0


@structs.frozen(kw_only=True)
class KeptOutcome:
    """How a call ended. `frame` is the answer as it travels, without its number; `at` is unix seconds, UTC."""

    seq: int
    frame: str
    at: float


@structs.frozen(kw_only=True)
class KeptCall:
    """An accepted call. `request` is its id as JSON, `frame` the call as it came, `seq` the number of its acknowledgement
    (0: none was given), `attempts` the runs that were begun, `timeout` seconds for each. `lasting`: its client gives handles,
    and has not said that it told none of this call."""

    session: str
    request: str
    principal: str
    resumable: bool
    seq: int
    frame: str
    roots: tuple[str, ...]
    timeout: float
    at: float
    attempts: int = 1
    lasting: bool = False
    outcome: KeptOutcome | None = None


@structs.frozen(kw_only=True)
class KeptSession:
    """All that is kept of one session: its calls in the order of acceptance, the last number that was acknowledged, and a
    number above which the frames of its newest life began."""

    calls: tuple[KeptCall, ...]
    acked: int = 0
    base: int = 0


@structs.frozen
class NoHandles:
    """What the client of a session says of its calls whose outcomes have numbers above `above`, as far as it has acknowledged them:
    it has told nobody a handle, but of those in `but_for`, by their requests."""

    above: int
    but_for: tuple[str, ...] = ()

    def covers(self, request: str, seq: int) -> bool:
        """Whether nobody will ask for this call, whose outcome has this number and is acknowledged."""
        return seq > self.above and request not in self.but_for


class Journal(Protocol):
    """What was written when a method returns survives a kill of the process.

    Raises StorageError when it cannot be read or written; cancelling leaves a write done or not done, never half.
    """

    async def accept(self, call: KeptCall) -> None:
        """Keep a new call; one of the same id that was kept before, and its outcome, are forgotten."""
        ...

    async def run_again(self, session: str, request: str) -> None:
        """One more run of a kept call begins."""
        ...

    async def finish(self, session: str, request: str, outcome: KeptOutcome) -> None:
        """Keep the outcome of a kept call. The first one counts. Of a call that is not kept it is nothing; its acceptance may still be on
        its way to the disk, and counts as before."""
        ...

    def finish_at_once(self, session: str, request: str, outcome: KeptOutcome) -> bool:
        """The same, where nobody has to wait for it. False: nothing is done, and `finish` is to do it, or to say what is wrong."""
        ...

    async def hand_over(
        self, session: str, request: str, outcome: KeptOutcome, to: KeptCall
    ) -> None:
        """In one step: `outcome` ends the kept call, and `to` is kept as a new one, in which the work goes on."""
        ...

    async def names(self, principal: str) -> tuple[tuple[str, str], ...]:
        """Session and request of every call of this principal that is kept, under whichever of its names."""
        ...

    async def acknowledge(
        self, acks: Mapping[str, int], sure: Mapping[str, NoHandles] | None = None
    ) -> None:
        """The clients of these sessions have all frames up to these numbers. Nothing is noted of one that has no call here: its
        next life begins to count anew. Calls that are `sure` not to be asked for by a handle are lasting no longer."""
        ...

    async def number_from(self, session: str, base: int) -> None:
        """A new life of this session gives only numbers above `base`."""
        ...

    async def unfinished(self) -> tuple[str, ...]:
        """The sessions that have calls without an outcome."""
        ...

    async def session(self, session: str) -> KeptSession | None:
        """What is kept of a session, or None if there is nothing."""
        ...

    async def sweep_calls(self, now: float | None, unnumbered_s: float) -> int:
        """Forget calls whose outcome is acknowledged (unless they are lasting) or old. Returns how many went; a long list goes in
        several steps.

        Old is an outcome after KEPT_S; one without a number, which nobody can acknowledge, after `unnumbered_s`. It is marked
        first, and goes SWEEP_GRACE_S later, or `unnumbered_s`. Without a time that is trusted (None) nothing is old.
        """
        ...

    async def retire(self) -> None:
        """Another process is about to read the journal, and to write it; what is written from here later, it is to find as well."""
        ...
