"""Migrations: what a database looks like after them, and what `check` finds when somebody has changed it."""

import attrs
import psycopg
import pytest

from exai_trio.errors import StorageError
from exai_trio.storage.supabase.migrate import faults, migrate
from exai_trio.storage.supabase.migrations import migrations, newest

pytestmark = pytest.mark.real


def test_a_second_migration_applies_nothing(stage):
    """What has been applied is not applied again, and nothing is wrong afterwards."""
    again = migrate(stage.url, migrations())

    assert () == again
    assert () == faults(stage.url, migrations())


def test_a_plain_postgres_takes_all_but_the_files_for_supabase(stage):
    """The files without roles, row level security and notices apply to a database that knows none of Supabase's roles."""
    stage.execute("create database plain")
    try:
        url = stage.postgres.uri("plain")
        done = migrate(url, migrations(), plain=True)
    finally:
        stage.execute("drop database plain")

    assert tuple(range(1, newest() + 1)) == done


@pytest.mark.parametrize(
    ("change", "undo", "named"),
    [
        (
            "update schema_version set sha256 = 'x' where version = 1",
            "update schema_version set sha256 = '{}' where version = 1",
            "Migration 1 was edited",
        ),
        (
            "insert into schema_version values (99, 'later', 'x')",
            "delete from schema_version where version = 99",
            "newer EXAI",
        ),
        (
            "alter table messages disable row level security",
            "alter table messages enable row level security",
            "off for messages",
        ),
        ("grant select on files to anon", "revoke all on files from anon", "files to anon"),
    ],
)
def test_what_somebody_has_changed_is_found(stage, change, undo, named):
    """One change, one fault, which names it."""
    stage.execute(change)
    try:
        found = faults(stage.url, migrations())
    finally:
        stage.execute(undo.format(migrations()[0].sha256))

    assert 1 == len(found)
    assert named in found[0]


def test_what_is_owed_to_a_provider_is_found_by_index(stage):
    """By account and time, and by upload: as in the embedded store."""
    found = stage.execute("select indexdef from pg_indexes where tablename = 'file_deletion_jobs'")
    columns = {index.partition(" btree ")[2] for (index,) in found}

    assert {"(provider, account, due) WHERE (reported_at IS NULL)", "(upload_id)"} <= columns


def test_nobody_but_the_service_role_reads_or_calls(stage):
    """With the key for browsers neither a table nor a function can be used."""
    with psycopg.connect(stage.url, autocommit=True) as connection:
        connection.execute("set role anon")
        for statement in ("select * from public.messages", "select public.exai_state()"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def test_a_step_that_fails_leaves_nothing_of_itself(stage):
    """A migration is applied whole or not at all, and the fault quotes no row."""
    broken = attrs.evolve(
        migrations()[0], version=77, sql="create table public.half (a int); select 1/0;"
    )
    with pytest.raises(StorageError, match="22012"):
        migrate(stage.url, (broken,))

    assert [(None,)] == stage.execute("select to_regclass('public.half')::text")
