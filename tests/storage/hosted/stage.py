"""The hosted store of one test process: one database behind PostgREST, emptied between tests."""

import os

import psycopg

from exai_trio.storage.supabase.migrate import migrate
from exai_trio.storage.supabase.migrations import migrations
from hosted.gateway import open_gateway
from hosted.postgres import CannotStart, Postgres
from hosted.postgrest import PostgREST
from hosted.storage_api import Bucket, StorageApi

# What Supabase's own databases have from the first.
_ROLES = """
    create role anon nologin;
    create role authenticated nologin;
    create role service_role nologin bypassrls;
    create role authenticator noinherit login;
    grant anon, authenticated, service_role to authenticator;
    grant usage on schema public to anon, authenticated, service_role;
    alter default privileges grant all on tables to anon, authenticated;
    alter default privileges grant execute on functions to anon, authenticated;
"""
BUCKETS = ("exai-files", "exai-bus")


class Stage:
    """Raises CannotStart where a component is not to be had."""

    def __init__(self):
        self.postgres = Postgres()
        try:
            self.execute(_ROLES)
            migrate(self.url, migrations())
            uri = self.postgres.uri(user="authenticator")
            self.postgrest = PostgREST(uri, self.postgres.folder)
        except BaseException:
            self.postgres.close()
            raise
        self.storage = StorageApi(buckets={name: Bucket(name) for name in BUCKETS})

    @property
    def url(self):
        """What SUPABASE_DB_URL would say."""
        return self.postgres.uri()

    def execute(self, sql, *values):
        """The rows, if it gives any."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(sql, values or None)
            return cursor.fetchall() if cursor.description else []

    def empty(self):
        tables = self.execute(
            "select string_agg(format('public.%I', tablename), ', ') from pg_tables"
            " where schemaname = 'public' and tablename <> 'schema_version'"
        )[0][0]
        self.execute(f"truncate {tables} cascade")
        self.storage.clear()

    def make_new(self):
        """An empty project: no tables, no buckets."""
        self.execute("drop schema public cascade; create schema public")
        self.execute("grant usage on schema public to anon, authenticated, service_role")
        self.storage.buckets.clear()

    def make_ready(self):
        """As other tests find it, whatever was done to it."""
        migrate(self.url, migrations())
        for name in BUCKETS:
            self.storage.buckets.setdefault(name, Bucket(name))

    def set_clock(self, at):
        """What the files' functions take for the time, in unix seconds; None for the database's own."""
        told = "clock_timestamp()" if at is None else f"to_timestamp({at!r})"
        self.execute(
            "create or replace function exai_now() returns timestamptz language sql volatile"
            f" set search_path = '' as $$ select {told} $$"
        )

    def open_gateway(self, port=0):
        return open_gateway(self.postgrest, self.storage, port)

    def close(self):
        self.postgrest.close()
        self.postgres.close()


def must_start():
    """Where CI runs, what cannot start is a fault."""
    return os.environ.get("REAL_BACKENDS") == "required"


def the_stage():
    """Started once for this process; None, and why, where it cannot be, or is not to be."""
    if os.environ.get("REAL_BACKENDS") == "none":
        return None, "REAL_BACKENDS=none"
    try:
        return Stage(), ""
    except CannotStart as reason:
        if must_start():
            raise
        return None, str(reason)
