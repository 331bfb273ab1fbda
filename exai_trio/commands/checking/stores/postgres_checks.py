"""What `exai doctor` looks at of a store in PostgreSQL: whether it answers, and whether its tables are ours."""

from exai_trio.commands.checking.findings import Finding
from exai_trio.config import Config
from exai_trio.errors import StorageError
from exai_trio.system.clock import unix_now

_AWAY = "check DATABASE_URL, and that PostgreSQL runs there; calls are refused until it answers"


async def look(config: Config) -> tuple[Finding, ...]:
    """Raises nothing but Cancelled, which changes nothing."""
    if not config.is_shared:
        return ()
    from exai_trio.storage.postgres.database import open_database  # only where it is asked for
    from exai_trio.storage.supabase.migrations import newest

    async with open_database(config.database_url, unix_now) as database:
        try:
            await database.look()
        except StorageError as fault:
            return (Finding.fault(fault.message, _AWAY),)
    version, needed = database.version or 0, newest()
    if version == needed:
        return (Finding.ok(f"PostgreSQL answers, with schema {version}"),)
    what = f"PostgreSQL has schema {version}, and this EXAI asks for {needed}"
    remedy = "upgrade this EXAI" if version > needed else "run `exai storage migrate`"
    return (Finding.fault(what, remedy),)
