"""The routes of storage: what is kept, what was cleaned up, and cleaning up now."""

from functools import partial
from typing import Any, Final

from exai_trio.errors import ArgumentError, OverCapacityError, ServiceUnavailableError
from exai_trio.filestore.cleanup_coordinator import CleanupLimits
from exai_trio.observability.times import rfc3339
from exai_trio.storage.contracts.cleanup_records import STAGES, AuditEntry
from exai_trio.storage.contracts.provider_uploads import ProviderUpload

from ..route_table import MOST_ROWS, Asked, Route
from ..watched_daemon import WatchedDaemon

_NEWEST: Final = 50


def storage_routes(watched: WatchedDaemon) -> tuple[Route, ...]:
    return (
        Route("/api/storage", "figures", partial(_storage, watched)),
        Route("/api/storage/audit", "administration", partial(_audit, watched)),
        Route("/api/storage/files", "texts", partial(_files, watched)),
        Route("/api/storage/cleanup", "administration", partial(_clean_up, watched), "POST"),
    )


async def _storage(watched: WatchedDaemon, _asked: Asked) -> dict[str, Any]:
    cleaning = watched.cleaning
    return {
        **watched.report.storage(),
        "cleanup": None
        if cleaning is None
        else _cleanup(watched, cleaning.coordinator.local.limits),
    }


def _cleanup(watched: WatchedDaemon, limits: CleanupLimits) -> dict[str, Any]:
    """`next_at` is when all stages are due again; what is kept is compared with what is there once a day."""
    job = watched.jobs.job("clean_up")
    return {
        "stages": [{"stage": stage, **watched.jobs.stage(stage)} for stage in STAGES],
        "last_at": job and job["last_at"],
        "next_at": job and job["next_at"],
        "grace_s": limits.grace_s,
        "history_s": limits.history_s,
        "files_bytes": limits.files_bytes,
    }


async def _files(watched: WatchedDaemon, asked: Asked) -> dict[str, Any]:
    """What one holds at providers, the newest first, with how many refer to each. Raises StorageError."""
    if watched.cleaning is None:
        return {"rows": []}
    registry = watched.services.uploads.registry.of(asked.by.principal)
    found = [
        upload
        for account in watched.cleaning.coordinator.local.shelves()
        for upload in await registry.uploads(account.provider, account.account)
    ]
    newest = sorted(found, key=lambda upload: -upload.uploaded_at)[:MOST_ROWS]
    return {"rows": [_file(upload) for upload in newest]}


def _file(upload: ProviderUpload) -> dict[str, Any]:
    return {
        "id": upload.id,
        "filename": upload.filename,
        "provider": upload.provider,
        "purpose": upload.purpose,
        "bytes": upload.file_size_bytes,
        "references": upload.reference_count,
        "uploaded_at": rfc3339(upload.uploaded_at),
        "used_at": rfc3339(upload.last_used),
    }


async def _audit(watched: WatchedDaemon, _asked: Asked) -> dict[str, Any]:
    """What cleaning up has changed last; the home owner's alone to see, since it names files."""
    if watched.cleaning is None:
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
    watched.cleaning.tell(report)
    return report.as_json()
