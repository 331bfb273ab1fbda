"""The database over SUPABASE_DB_URL: applied migrations, and looking whether they are as they should be. The only module that knows psycopg.

Everything blocks: whoever calls it gives it a thread. The daemon never does.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import psycopg

from exai_trio.errors import StorageError
from exai_trio.storage.supabase.migrations import Migration

_LOCK: Final = 0x45584149  # "EXAI": two migrations at once apply each step once
_CONNECT_S: Final = 10
_APPLIED: Final = "select version, sha256 from public.schema_version order by version"
_HAS_TABLE: Final = "select to_regclass('public.schema_version') is not null"
_OPEN_TABLES: Final = """
    select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and c.relkind = 'r' and not c.relrowsecurity order by 1
"""
_STRANGERS: Final = """
    select distinct table_name || ' to ' || grantee from information_schema.role_table_grants
    where table_schema = 'public' and grantee in ('PUBLIC', 'anon', 'authenticated')
    union select distinct routine_name || ' to ' || grantee from information_schema.role_routine_grants
    where routine_schema = 'public' and grantee in ('PUBLIC', 'anon', 'authenticated')
    order by 1
"""
_MISCOUNTED: Final = """
    select u.id from public.provider_file_uploads u
    where u.reference_count <> (select count(*) from public.file_references r
        where r.upload_id = u.id and to_jsonb(r)->>'ended_at' is null) order by 1
"""


def migrate(url: str, steps: tuple[Migration, ...], *, plain: bool = False) -> tuple[int, ...]:
    """Apply what is missing, each step in a transaction of its own; `plain` leaves out what only Supabase knows. Returns the versions
    that were applied. Raises StorageError; what was applied before stays."""
    done: list[int] = []
    with _connected(url) as connection:
        for step in steps:
            with connection.transaction():
                connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
                if step.version not in _applied(connection):
                    _apply(connection, step, plain=plain)
                    done.append(step.version)
    return tuple(done)


def _apply(
    connection: "psycopg.Connection[tuple[object, ...]]", step: Migration, *, plain: bool
) -> None:
    connection.execute(step.sql.encode())
    if step.for_supabase and not plain:
        connection.execute(step.for_supabase.encode())
    connection.execute(
        "insert into public.schema_version (version, description, sha256) values (%s, %s, %s)",
        (step.version, step.description, step.sha256),
    )


def faults(url: str, steps: tuple[Migration, ...], *, plain: bool = False) -> tuple[str, ...]:
    """What is not as the migrations have left it, one sentence each; `plain` leaves out who may see it, which only Supabase has. Raises
    StorageError if the database cannot be asked."""
    with _connected(url) as connection:
        applied = _applied(connection)
        if not applied:
            return ("No migration has been applied: run `exai storage migrate`.",)
        found = (
            *_of_versions(applied, {step.version: step.sha256 for step in steps}),
            *_each(connection, _MISCOUNTED, "reference_count of upload {} is wrong."),
        )
        if plain:
            return found
        return (
            *found,
            *_each(connection, _OPEN_TABLES, "Row level security is off for {}."),
            *_each(connection, _STRANGERS, "Granted to others than the service role: {}."),
        )


def _of_versions(applied: dict[int, str], known: dict[int, str]) -> Generator[str]:
    for version in sorted(known.keys() - applied.keys()):
        yield f"Migration {version} is missing: run `exai storage migrate`."
    for version in sorted(applied.keys() - known.keys()):
        yield f"Migration {version} is of a newer EXAI: upgrade this one."
    for version in sorted(applied.keys() & known.keys()):
        if applied[version] != known[version]:
            yield f"Migration {version} was edited by hand, or is of another EXAI: its checksum differs."


def _each(
    connection: "psycopg.Connection[tuple[object, ...]]", query: str, sentence: str
) -> tuple[str, ...]:
    return tuple(sentence.format(row[0]) for row in connection.execute(query.encode()))


def _applied(connection: "psycopg.Connection[tuple[object, ...]]") -> dict[int, str]:
    """Checksums by version; none in a database that has never been migrated."""
    has_table = connection.execute(_HAS_TABLE.encode()).fetchone()
    if not has_table or not has_table[0]:
        return {}
    return {int(str(row[0])): str(row[1]) for row in connection.execute(_APPLIED.encode())}


@contextmanager
def _connected(url: str) -> "Generator[psycopg.Connection[tuple[object, ...]]]":
    """psycopg's errors leave as StorageError without what they quote of rows, statements and passwords."""
    try:
        with psycopg.connect(url, connect_timeout=_CONNECT_S, autocommit=True) as connection:
            yield connection
    except psycopg.Error as fault:
        primary = fault.diag.message_primary or type(fault).__name__
        code = f" ({fault.sqlstate})" if fault.sqlstate else ""
        raise StorageError(
            f"The database (SUPABASE_DB_URL, or DATABASE_URL) cannot be used: {primary}{code}."
        ) from None
