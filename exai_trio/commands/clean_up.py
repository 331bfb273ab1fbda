"""`exai cleanup`: what is old expires and is deleted now, here and at the providers; or what that would be.

It opens the store itself, whether or not a daemon runs: one process cleans up at a time.
"""

import json
from argparse import Namespace
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio

from exai_trio.commands.console import Console
from exai_trio.commands.invocation import Started
from exai_trio.config import Config
from exai_trio.errors import ExaiError
from exai_trio.filestore.cleanup_report import CleanupReport, StageReport
from exai_trio.filestore.kept_files import KeptFiles, in_database
from exai_trio.filestore.shared_cleanup import SharedCleanup
from exai_trio.providers.attempts import Deaf
from exai_trio.providers.gateway import open_gateway
from exai_trio.storage.contracts.cleanup_records import STAGES
from exai_trio.storage.sqlite.store import SqliteStore, open_sqlite
from exai_trio.system.clock import unix_now
from exai_trio.tools.files.cleaning_up import coordinator

_MB = 1024 * 1024
_UNDONE = 1


def main(started: Started) -> int:
    return trio.run(
        run, started.loaded.config, Console.of_process(started.environ), started.arguments
    )


async def run(config: Config, console: Console, asked: Namespace) -> int:
    """0, or 1 if something could not be done or another process cleans up. Raises ExaiError.
    Cancelling leaves the rest to the next run."""
    if not await trio.Path(config.state / "exai.db").exists():
        console.note(f"exai: nothing is stored in {config.state}")
        return 0
    report: CleanupReport | ExaiError | None
    async with (
        open_gateway(config) as gateway,
        open_sqlite(config.state / "exai.db") as store,
        _shared(config, store) as kept,
    ):
        cleans = coordinator(config, kept, gateway, unix_now, listener=Deaf())
        report = await _outcome(cleans, asked)
    if isinstance(report, ExaiError):
        raise report
    if report is None:
        console.note("exai: another process cleans up now; try again in a minute")
        return _UNDONE
    console.say(json.dumps(report.as_json()) if asked.json else "\n".join(_lines(report)))
    return _UNDONE if report.faults else 0


@asynccontextmanager
async def _shared(config: Config, store: SqliteStore) -> AsyncGenerator[KeptFiles]:
    """The files of this machine, and of all if they share a store."""
    kept = in_database(store, config.objects, config.files_max_gb)
    if not config.is_hosted:
        yield kept
        return
    from exai_trio.filestore.shared_files import share  # only where it is asked for
    from exai_trio.storage.hosted.guarded_remote import GuardedRemote
    from exai_trio.storage.sqlite.mirrored.outbox_table import SqliteOutbox
    from exai_trio.storage.sqlite.mirrored.unsent_objects import SqliteUnsent
    from exai_trio.storage.supabase.connecting import open_remote

    guarded = GuardedRemote()
    async with open_remote(config.supabase_url, config.supabase_key, unix_now) as remote:
        guarded.connect(remote)
        outbox, unsent = SqliteOutbox(store), SqliteUnsent(store)
        yield share(kept, store, outbox, unsent, guarded)[0]


async def _outcome(cleans: SharedCleanup, asked: Namespace) -> CleanupReport | ExaiError | None:
    """The store's own nursery would wrap a fault."""
    stages = (asked.stage,) if asked.stage else STAGES
    try:
        return await cleans.run(stages, dry_run=asked.dry_run, daily=not asked.stage)
    except ExaiError as fault:
        return fault


def _lines(report: CleanupReport) -> list[str]:
    would = "would change" if report.dry_run else "changed"
    lines = [
        line for name, stage in report.stages.items() for line in _of_stage(name, stage, would)
    ]
    if report.unknown:
        lines.append(f"not EXAI's, and left alone: {', '.join(report.unknown)}")
    lines += [f"not done: {fault}" for fault in report.faults]
    return lines or ["nothing to clean up"]


def _of_stage(name: str, stage: StageReport, would: str) -> list[str]:
    shown = [f"  {change.subject}: {change.why}" for change in stage.shown]
    more = stage.changed - len(shown)
    head = f"{name}: {would} {stage.changed:,}, {stage.bytes / _MB:.1f} MB"
    return [head, *shown, *([f"  and {more:,} more"] if more else [])] if stage.changed else []
