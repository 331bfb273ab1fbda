"""The routes of storage: what is kept, what was cleaned up, and cleaning up now."""

from functools import partial
from typing import Any, Final

from exai_trio.errors import ArgumentError, OverCapacityError, ServiceUnavailableError
from exai_trio.observability.times import rfc3339
from exai_trio.storage.contracts.cleanup_records import STAGES, AuditEntry

from ..route_table import Asked, Route
from ..watched_daemon import WatchedDaemon

_NEWEST: Final = 50


def storage_routes(watched: WatchedDaemon) -> tuple[Route, ...]:
    return (
        Route(path="/api/storage", gives="figures", answer=partial(_storage, watched)),
        Route(path="/api/storage/audit", gives="texts", answer=partial(_audit, watched)),
        Route(
            method="POST",
            path="/api/storage/cleanup",
            gives="changes",
            answer=partial(_clean_up, watched),
        ),
    )


async def _storage(watched: WatchedDaemon, _asked: Asked) -> dict[str, Any]:
    cleaning = watched.cleaning
    return {
        **watched.report.storage(),
        "cleanup": None
        if cleaning is None
        else {
            "stages": STAGES,
            "grace_s": cleaning.coordinator.local.limits.grace_s,
            "history_s": cleaning.coordinator.local.limits.history_s,
            "files_bytes": cleaning.coordinator.local.limits.files_bytes,
        },
    }


async def _audit(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    """What cleaning up has changed last; the home owner's alone to see, since it names files."""
    if watched.cleaning is None or not asked.by.is_admin:
        return {"rows": []}
    return {
        "rows": [
            _row(each) for each in await watched.cleaning.coordinator.local.store.newest(_NEWEST)
        ]
    }


def _row(entry: AuditEntry) -> dict[str, Any]:
    change = entry.change
    return {
        "at": rfc3339(entry.at),
        "stage": entry.stage,
        "subject": change.subject,
        "why": change.why,
        "bytes": change.bytes,
    }


async def _clean_up(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    """Run one stage or all; `dry_run` is true unless it is false. Raises ExaiError. Cancelling leaves the rest to the next run."""
    if not asked.by.is_admin:
        raise ArgumentError("cleaning up is the home owner's")
    if watched.cleaning is None:
        raise ServiceUnavailableError("nothing is stored that could be cleaned up")
    stage = asked.body.get("stage")
    if stage is not None and stage not in STAGES:
        raise ArgumentError(f"stage must be one of {', '.join(STAGES)}")
    dry_run = asked.body.get("dry_run") is not False
    if not dry_run and not watched.report.context.clock.is_trusted():
        raise ServiceUnavailableError(
            "nothing is deleted until the clock has been right for an hour"
        )
    stages = STAGES if stage is None else (stage,)
    report = await watched.cleaning.coordinator.run(stages, dry_run=dry_run, daily=stage is None)
    if report is None:
        raise OverCapacityError("another process cleans up now; try again in a minute")
    return report.as_json()
