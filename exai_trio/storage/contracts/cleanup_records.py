"""What cleaning up asks of a store: steps over old rows, deletions that are owed to providers, leases, the audit.

No SQL here. Times are unix seconds by the database's clock; durations are seconds.
"""

from typing import Final, Literal, Protocol

from exai_trio import structs

Stage = Literal["expire", "release", "condemn", "delete", "reconcile"]
STAGES: Final[tuple[Stage, ...]] = ("expire", "release", "condemn", "delete", "reconcile")
MOST_ROWS: Final = 500  # in one transaction


@structs.frozen(kw_only=True)
class Change:
    """What a stage did to one row, or would do."""

    subject: str
    why: str
    bytes: int = 0


@structs.frozen(kw_only=True)
class AuditEntry:
    """A change as it was noted, `at` unix seconds."""

    at: float
    stage: str
    change: Change


class Audit(Protocol):
    """Raises StorageError; cancelling leaves it noted or not."""

    async def note(self, stage: str, changes: tuple[Change, ...]) -> None: ...

    async def newest(self, most: int) -> tuple[AuditEntry, ...]:
        """The newest first."""
        ...


@structs.frozen(kw_only=True)
class Lease:
    """What `holder` alone does until `until`; the `fence` goes up with each that takes it."""

    name: str
    holder: str
    fence: int
    until: float


class Leases(Protocol):
    """Raises StorageError; cancelling leaves it done or not done."""

    async def take(self, name: str, holder: str, for_s: float) -> Lease | None:
        """None while somebody else has it; a holder that has it takes it anew."""
        ...

    async def renew(self, lease: Lease, for_s: float) -> bool:
        """False if somebody else has taken it."""
        ...

    async def give_back(self, lease: Lease) -> None:
        """If it is still the holder's."""
        ...


@structs.frozen(kw_only=True)
class DeletionJob:
    """A file that is to be deleted at its provider. `attempts` counts those that failed; the `fence` goes up with each claim; `is_hosted`:
    the hosted registry has it."""

    id: int
    provider: str
    account: str
    provider_file_id: str
    sha256: str
    size: int
    reason: str
    attempts: int
    fence: int
    is_hosted: bool = False


class DeletionJobs(Protocol):
    """Raises StorageError; cancelling leaves it done or not done."""

    async def claim_jobs(
        self, accounts: tuple["Account", ...], most: int
    ) -> tuple[DeletionJob, ...]:
        """Those that are due at these providers and accounts, for a minute each; nobody else gets them meanwhile."""
        ...

    async def finish_job(self, job: DeletionJob) -> bool:
        """The provider has it no more. False if another has the job now."""
        ...

    async def fail_job(self, job: DeletionJob, error: str) -> bool:
        """It is due again later. Returns whether this was the last try: then it is reported, and not due again."""
        ...


STEPS: Final[dict[str, Stage]] = {
    "expire_conversations": "expire",
    "release_references": "release",
    "condemn_uploads": "condemn",
    "purge_uploads": "delete",
    "purge_conversations": "delete",
    "purge_audit": "delete",
}


@structs.frozen(kw_only=True)
class Bounds:
    """What is old: `now` is the clock by which conversations expire, in unix seconds; the rest is seconds."""

    now: float
    grace_s: float
    history_s: float


@structs.frozen(kw_only=True)
class StepResult:
    """What a step changed, or would change. `next` is where the following one begins; None if all rows have been looked at."""

    changes: tuple[Change, ...] = ()
    next: int | None = None


@structs.frozen(kw_only=True)
class Account:
    """One key of one provider."""

    provider: str
    account: str


class CleanupSteps(Protocol):
    """Raises StorageError; cancelling leaves a step done or not done."""

    async def step(
        self, name: str, bounds: Bounds, after: int = 0, *, dry_run: bool = False
    ) -> StepResult:
        """Look at some rows, and change at most MOST_ROWS of them in one transaction that notes each in the audit. The names are STEPS'
        keys. What is looked at outside of the transaction is looked at again in it. Doing it again changes nothing."""
        ...

    async def disposable(self, most: int) -> tuple[str, ...]:
        """Hashes of stored objects whose uploads have been deleted everywhere, and that nobody refers to."""
        ...

    async def unreferenced(self, most: int) -> tuple[str, ...]:
        """Hashes of stored objects that nobody refers to, the one that was used least lately first."""
        ...

    async def is_known(self, sha256: str) -> bool:
        """Whether an upload has, or is about to have, a stored object of that content."""
        ...

    async def completed_before(self, at: float, account: Account) -> tuple[tuple[str, str], ...]:
        """Id of the row and id at the provider, of uploads that were completed before then."""
        ...

    async def owed(self, account: Account) -> frozenset[str]:
        """Ids at the provider that are to be deleted there."""
        ...

    async def time(self) -> float:
        """The database's."""
        ...


class ObjectDisposal(Protocol):
    """Deletes stored objects so that none is taken from a claim."""

    async def dispose(self, sha256: str, *, even_known: bool = False) -> int:
        """Delete the object unless an upload of its content is known, or with `even_known`, referred to or on its way. Nobody claims the
        content meanwhile. Returns the bytes freed. Raises StorageError;
        cancelling leaves it done or not done."""
        ...
