"""What is done to the store at Supabase: tables and buckets are made, a history is sent, and what was refused is sent again."""

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Final

import trio

from exai_trio.commands.storage.asked import Asked, Told, open_store, open_supabase
from exai_trio.settings import supabase_keys
from exai_trio.storage.hosted.guarded_remote import GuardedRemote
from exai_trio.storage.hosted.outbox_sender import OutboxSender
from exai_trio.storage.sqlite.mirrored.local_side import LocalSide
from exai_trio.storage.sqlite.mirrored.outbox_table import SqliteOutbox

if TYPE_CHECKING:  # loaded only where Supabase is asked
    from exai_trio.storage.supabase.migrations import Migration
    from exai_trio.storage.supabase.remote import SupabaseRemote

_MIGRATIONS: Final = "exai_trio.storage.supabase.migrations"
_MIGRATE: Final = "exai_trio.storage.supabase.migrate"
_BUCKETS: Final = "exai_trio.storage.supabase.buckets"


async def migrate(asked: Asked) -> Told:
    """Apply what is missing over SUPABASE_DB_URL, and make the buckets; without that URL, the SQL and where to run it. With
    STORAGE_BACKEND=postgres over DATABASE_URL, and nothing else.

    Raises StorageError. Cancelling leaves each step applied or not applied.
    """
    migrations = import_module(_MIGRATIONS)
    steps: tuple[Migration, ...] = migrations.migrations()
    config = asked.config
    url = config.database_url if config.is_shared else config.supabase_db_url
    if not url:
        return _by_hand(asked, steps, migrations.editor_link())
    work = partial(import_module(_MIGRATE).migrate, url, steps, plain=config.is_shared)
    applied = await trio.to_thread.run_sync(work)
    made = await _make_buckets(asked) if config.is_hosted else ()
    versions = [f"{step.version} {step.description}" for step in steps if step.version in applied]
    lines = [f"applied {each}" for each in versions] or ["nothing to apply"]
    return Told(
        data={"applied": list(applied), "buckets": list(made)},
        lines=(*lines, *(f"made bucket {name}" for name in made)),
    )


async def _make_buckets(asked: Asked) -> tuple[str, ...]:
    async with open_supabase(asked) as remote:
        made: tuple[str, ...] = await import_module(_BUCKETS).make_missing(remote.requests)
        return made


def _by_hand(asked: Asked, steps: "tuple[Migration, ...]", link: str) -> Told:
    config = asked.config
    project = config.supabase_project_id or supabase_keys.project_of(config.supabase_url) or "_"
    where = link.format(project=project)
    sql = "\n".join(step.whole for step in steps)
    return Told(
        data={"sql": sql, "editor": where},
        lines=(
            f"-- SUPABASE_DB_URL is not set: run this in {where}, from the first step that has not been applied,",
            "-- and make the private buckets exai-files and exai-bus; or set it and run `exai storage migrate` again.",
            sql,
        ),
    )


async def push(asked: Asked) -> Told:
    """Send every conversation that Supabase has never heard of; twice is once. Raises ExaiError. Cancelling leaves the rest in the
    outbox, which the daemon sends."""
    asked.check_hosted()
    async with open_store(asked) as store, open_supabase(asked) as remote:
        outbox = SqliteOutbox(store)
        queued = await LocalSide(store, outbox).tell_all()
        left = await _send(outbox, remote)
        parked = (await outbox.depth()).parked
    lines = [f"{queued} conversations were new to Supabase"]
    lines += [f"{left} entries are left: the daemon sends them"] if left else []
    lines += [f"{parked} entries were refused: `exai storage status`"] if parked else []
    data = {"conversations": queued, "left": left, "parked": parked}
    return Told(data=data, lines=tuple(lines), code=1 if left else 0)


async def _send(outbox: SqliteOutbox, remote: "SupabaseRemote") -> int:
    """As long as that succeeds. How many entries are left."""
    await remote.state()
    guarded = GuardedRemote()
    guarded.connect(remote)
    sender = OutboxSender(outbox, guarded, lambda: 0.0)
    async with trio.open_nursery() as sending:
        sending.start_soon(sender.run)
        while not sender.is_held_up and (await outbox.depth()).entries:
            await sender.wait_sent()
        sending.cancel_scope.cancel(reason="all is sent, or nothing can be")
    return (await outbox.depth()).entries


async def retry(asked: Asked) -> Told:
    """What the database refused is sent again by the daemon. Raises ExaiError. Cancelling leaves it done or not done."""
    asked.check_hosted()
    async with open_store(asked) as store:
        count = await SqliteOutbox(store).retry()
    return Told(data={"entries": count}, lines=(f"{count} entries are to be sent again",))
