"""What a daemon asks of a store that several daemons share: leases, claims, and who has which session. No SQL here."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, Literal, Protocol

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.storage.journal import Journal, KeptCall, KeptOutcome

CallName = tuple[str, str]
"""Session and request of a call, as the journal has them."""

Renewed = Literal["held", "taken", "replaced"]
FinishedAs = Literal["kept", "untold", "stands"]
"""It counts; it counts, and another daemon, which owns the session, tells it; another daemon has the call, or it has another outcome."""

LEASE_S: Final = 6.0
UNNUMBERED: Final = -1  # the number of an outcome that the owner of its session has not told yet


class SessionMoved(StorageError):
    """Another daemon has the session: its client is there."""


class AnswerLost(StorageError):
    """What was to be written may have been: the store was asked, and did not say."""


class CallMoved(StorageError):
    """Another daemon has the call, or it has another outcome."""


@structs.frozen(kw_only=True)
class DaemonFacts:
    """What others may know of a daemon; `executor` is the id of its home, `boot_id` of its process."""

    executor: str
    name: str
    boot_id: str
    address: str
    version: str


@structs.frozen(kw_only=True)
class KnownDaemon:
    """A daemon as the store has it; `lease_s` are the seconds that its lease lasts yet, below 0 if it has ended; `running` the calls
    that it has to run, `owned` the sessions whose clients it answers."""

    facts: DaemonFacts
    draining: bool
    lease_s: float
    running: int
    owned: int


@structs.frozen
class Compared:
    """What is otherwise than a daemon believes: `superseded` sessions are another's, `lost` calls run elsewhere or are over; `stored`
    has the outcomes of calls that it waits for, None of one that is not kept any more."""

    superseded: Sequence[str] = ()
    lost: Sequence[CallName] = ()
    stored: Mapping[CallName, str | None] = {}


@structs.frozen
class Said:
    """What a call says that runs elsewhere, as a frame for its client."""

    name: CallName
    frame: str


@structs.frozen
class Heard:
    """`is_news`: something may be otherwise than this daemon believes; `said` by calls of its sessions that run elsewhere."""

    is_news: bool
    said: tuple[Said, ...] = ()


class SharedCalls(Protocol):
    """All but `journal_of` raises StorageError. Cancelling leaves a write done or not done, never half."""

    @property
    def answers_lost(self) -> int:
        """How often an event of this daemon may have been written though nobody here knows."""
        ...

    async def renew(self, facts: DaemonFacts, *, is_first: bool, draining: bool) -> Renewed:
        """Hold the lease from now on for LEASE_S, by the store's clock. "taken": another living daemon has that name; "replaced": another
        process of this home has come since."""
        ...

    async def release(self, facts: DaemonFacts) -> None:
        """The lease ends now."""
        ...

    async def claim(
        self, facts: DaemonFacts, *, others: bool, anew: bool, most: int
    ) -> tuple[KeptCall, ...]:
        """Calls that nobody runs are this daemon's from now on: what an earlier process of its home has left, and with `others` what
        daemons have left whose lease has ended. With `anew` also what it has already. None while it has no lease."""
        ...

    async def take(
        self, facts: DaemonFacts, principal: str, session: str, held: int, visit: int
    ) -> int:
        """The epoch under which it has the session now: `held` if that is so already, 0 if nothing is kept of it for this principal.
        Raises SessionMoved if a later visit than this has been heard; 0 is of a client that does not count."""
        ...

    async def compare(
        self,
        facts: DaemonFacts,
        held: Mapping[str, int],
        running: Sequence[tuple[str, str, str]],
        waiting: Sequence[CallName],
    ) -> Compared:
        """`held`: its sessions and their epochs; `running`: session, request and handle; `waiting`: calls whose outcomes it awaits."""
        ...

    async def finish(
        self, name: CallName, outcome: KeptOutcome, *, epoch: int, attempt: int
    ) -> FinishedAs:
        """What becomes of this outcome, which counts only of the executor, in that run, and as the first. Attempt 0 is the owner of the session, who may end a
        call that runs elsewhere, and gives a number to an outcome that has none."""
        ...

    def journal_of(self, session: str, epoch: int) -> Journal:
        """The journal, as the owner of this session writes it under this epoch."""
        ...

    def listening(
        self, facts: DaemonFacts
    ) -> AbstractAsyncContextManager[Callable[[], Awaitable[Heard]]]:
        """What returns as soon as there is something for this daemon. News that are never told are found by `compare` all the same; what is said is
        lost."""
        ...

    async def say(self, facts: DaemonFacts, said: Sequence[Said]) -> None:
        """To the daemons that have these sessions, if they live and are others; what no notification holds is not said."""
        ...

    async def daemons(self) -> tuple[KnownDaemon, ...]: ...
