"""Cleaning up at Supabase: its steps, the deletions that are owed, leases and the audit, by its database's clock."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs
import msgspec

from exai_trio import structs
from exai_trio.storage.contracts.cleanup_records import (
    MOST_ROWS,
    STEPS,
    Account,
    AuditEntry,
    Bounds,
    Change,
    DeletionJob,
    Lease,
    StepResult,
)
from exai_trio.storage.hosted.function_calls import Functions, ask

CLAIM_S: Final = 60.0
TRIES: Final = 10
_FIRST_WAIT_S, _LONGEST_WAIT_S = 60.0, 6 * 3600.0
# Hosted conversations are deleted by the sweep of the history.
_ELSEWHERE: Final = frozenset({"purge_conversations"})


class _Cleaned(msgspec.Struct):
    """What `exai_clean` returns."""

    changes: tuple[Change, ...]
    next: int | None


@structs.frozen(eq=False)
class SupabaseCleanup:
    """CleanupSteps, DeletionJobs, Leases, Audit and ObjectDisposal. `unlink` deletes an object of the bucket and returns its size.
    Raises HostedFault; cancelling leaves it done or not done, and asked again it is done once."""

    _functions: Functions
    _unlink: Callable[[str], Awaitable[int]]

    async def step(
        self, name: str, bounds: Bounds, after: int = 0, *, dry_run: bool = False
    ) -> StepResult:
        if name in _ELSEWHERE:
            return StepResult()
        said: _Cleaned = await self._ask(
            "exai_clean",
            _Cleaned,
            name=name,
            stage=STEPS[name],
            grace=bounds.grace_s,
            history=bounds.history_s,
            most=MOST_ROWS,
            after=after,
            dry=dry_run,
        )
        return StepResult(changes=said.changes, next=said.next)

    async def disposable(self, most: int) -> tuple[str, ...]:
        return await self._names("exai_disposable", most=most)

    async def unreferenced(self, most: int) -> tuple[str, ...]:
        return await self._names("exai_unreferenced", most=most)

    async def is_known(self, sha256: str) -> bool:
        return bool(await self._ask("exai_is_known", bool, sha256=sha256))

    async def dispose(self, sha256: str, *, even_known: bool = False) -> int:
        """Who stores the content meanwhile waits, as long as a request to the bucket may take."""
        if not await self._ask("exai_begin_disposal", bool, sha256=sha256, even_known=even_known):
            return 0
        freed = await self._unlink(sha256)
        why = "no room" if even_known else "no upload needs it"
        await self._ask("exai_end_disposal", None, sha256=sha256, freed=freed, why=why)
        return freed

    async def completed_before(self, at: float, account: Account) -> tuple[tuple[str, str], ...]:
        found: tuple[tuple[str, str], ...] = await self._ask(
            "exai_completed_before", tuple[tuple[str, str], ...], at=at, **attrs.asdict(account)
        )
        return found

    async def owed(self, account: Account) -> frozenset[str]:
        return frozenset(await self._names("exai_owed", **attrs.asdict(account)))

    async def time(self) -> float:
        return float(await self._ask("exai_clock", float))

    async def claim_jobs(self, accounts: tuple[Account, ...], most: int) -> tuple[DeletionJob, ...]:
        found: tuple[DeletionJob, ...] = await self._ask(
            "claim_deletion_jobs",
            tuple[DeletionJob, ...],
            accounts=[attrs.astuple(each) for each in accounts],
            most=most,
            lease_s=CLAIM_S,
        )
        return tuple(attrs.evolve(job, is_hosted=True) for job in found)

    async def finish_job(self, job: DeletionJob) -> bool:
        return bool(await self._ask("exai_finish_job", bool, id=job.id, fence=job.fence))

    async def fail_job(self, job: DeletionJob, error: str) -> bool:
        wait_s = min(_FIRST_WAIT_S * 2.0**job.attempts, _LONGEST_WAIT_S)
        asked = {"id": job.id, "fence": job.fence, "error": error, "tries": TRIES, "wait_s": wait_s}
        return bool(await self._ask("exai_fail_job", bool, **asked))

    async def take(self, name: str, holder: str, for_s: float) -> Lease | None:
        found: Lease | None = await self._ask(
            "take_lease", Lease | None, name=name, holder=holder, for_s=for_s
        )
        return found

    async def renew(self, lease: Lease, for_s: float) -> bool:
        return bool(await self._ask("exai_renew_lease", bool, **_held(lease), for_s=for_s))

    async def give_back(self, lease: Lease) -> None:
        await self._ask("exai_renew_lease", bool, **_held(lease), for_s=0.0)

    async def note(self, stage: str, changes: tuple[Change, ...]) -> None:
        told = [attrs.asdict(each) for each in changes]
        await self._ask("exai_note_all", None, stage=stage, changes=told)

    async def newest(self, most: int) -> tuple[AuditEntry, ...]:
        found: tuple[AuditEntry, ...] = await self._ask(
            "exai_newest_notes", tuple[AuditEntry, ...], most=most
        )
        return found

    async def _names(self, function: str, **body: Any) -> tuple[str, ...]:
        found: tuple[str, ...] = await self._ask(function, tuple[str, ...], **body)
        return found

    async def _ask(self, function: str, returned: Any, **body: Any) -> Any:
        return await ask(self._functions, function, returned, **body)


def _held(lease: Lease) -> dict[str, Any]:
    return {"name": lease.name, "holder": lease.holder, "fence": lease.fence}
