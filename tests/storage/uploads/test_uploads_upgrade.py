"""A database of before claims and references: every upload is held by who had it, and a lost answer can still be found."""

import sqlite3
from contextlib import closing

import pytest

from exai_trio.storage.contracts.provider_uploads import Claim, Content, Known, Offer
from exai_trio.storage.sqlite.file import schema
from exai_trio.storage.sqlite.file.uploads_step import UPLOADS_STEP
from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.storage.sqlite.uploads.upload_store import SqliteUploads

pytestmark = pytest.mark.real

UPLOAD = "INSERT INTO uploads VALUES ('kimi', 'a', ?, ?, 'file-extract', 'x.md', 3, ?, ?, ?)"
INTENT = "INSERT INTO upload_intents VALUES ('kimi', 'a', ?, 'file-extract', 'y.md', 3, ?, 'owner')"


def _old(path):
    before = schema.STEPS.index(UPLOADS_STEP)
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        for statement in (each for step in schema.STEPS[:before] for each in step):
            old.execute(statement)
        old.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        old.execute(f"PRAGMA user_version = {before}")
        old.execute(UPLOAD, ("f1", "5a", 10.0, 20.0, "owner"))
        old.execute(UPLOAD, ("f2", "5a", 11.0, 30.0, "ann"))
        old.execute(UPLOAD, ("f3", "5b", 12.0, 40.0, "owner"))
        old.execute(INTENT, ("5b", 50.0))
        old.execute(INTENT, ("5c", 60.0))


def _offer(sha256):
    content = Content(provider="kimi", account="a", purpose="file-extract", sha256=sha256)
    return Offer(content=content, filename="z.md", size=3, method="direct")


async def test_uploads_are_taken_over(tmp_path):
    """The newest of a content is its row, both hold it, the older one is deleted a month after its last use; an intent is a claim."""
    _old(tmp_path / "exai.db")
    async with open_sqlite(tmp_path / "exai.db") as store:
        uploads = SqliteUploads(store)
        jobs = await store.read(
            lambda c: c.execute("SELECT provider_file_id, due FROM file_deletion_jobs").fetchall()
        )
        counts = await store.read(
            lambda c: c.execute(
                "SELECT sha256, reference_count FROM provider_file_uploads ORDER BY 1"
            ).fetchall()
        )
        holders = await uploads.holders("kimi", "a")
        owners = [u.provider_file_id for u in await uploads.uploads("kimi", "a")]
        known = await uploads.claim_upload(_offer("5b"), "call:1", "one")
        begun = await uploads.claim_upload(_offer("5c"), "call:1", "one")

    assert [("5a", 2), ("5b", 1), ("5c", 0)] == counts
    assert [("f1", 20.0 + 30 * 86400)] == jobs
    assert {"f1": {"owner", "ann"}, "f2": {"owner", "ann"}, "f3": {"owner"}} == holders
    assert ["f2", "f3"] == owners
    assert (Known, True) == (type(known), known.held_before)
    assert (Claim, 60.0, "y.md") == (type(begun), begun.upload.began_at, begun.upload.filename)
