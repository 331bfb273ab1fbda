"""The contract of FileRegistry, held by both."""

from contextlib import asynccontextmanager

import attrs
import pytest

from exai_trio.storage.base import Upload, UploadIntent
from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.storage.sqlite.upload_registry import MemoryUploads, SqliteUploads


@asynccontextmanager
async def in_memory(_path):
    yield MemoryUploads()


@asynccontextmanager
async def in_sqlite(path):
    async with open_sqlite(path) as store:
        yield SqliteUploads(store)


@pytest.fixture(
    params=[
        pytest.param(in_memory, id="memory"),
        pytest.param(in_sqlite, id="sqlite", marks=pytest.mark.real),
    ]
)
async def registry(request, tmp_path):
    async with request.param(tmp_path / "exai.db") as opened:
        yield opened


UPLOAD = Upload(
    provider="kimi",
    account="a1",
    file_id="f1",
    sha256="5a",
    purpose="file-extract",
    filename="ä.py",
    size=3,
    uploaded_at=1.0,
    used_at=1.0,
)


async def test_an_upload_is_found_by_its_content(registry):
    """What was noted comes back as it was, by content and purpose, the newest first."""
    newer = attrs.evolve(UPLOAD, file_id="f2", uploaded_at=2.0)
    for upload in (newer, UPLOAD):
        await registry.note_upload(upload)

    assert newer == await registry.find_upload("kimi", "a1", "5a", "file-extract")
    assert (UPLOAD, newer) == await registry.uploads("kimi", "a1")


@pytest.mark.parametrize(
    "other", [("glm", "a1", "5a", "file-extract"), ("kimi", "a2", "5a", "file-extract"),
              ("kimi", "a1", "5b", "file-extract"), ("kimi", "a1", "5a", "image")],
)  # fmt: skip
async def test_another_account_content_or_purpose_is_another_upload(registry, other):
    """An id is good only for the account, content and purpose it was made for."""
    await registry.note_upload(UPLOAD)

    assert await registry.find_upload(*other) is None


async def test_noting_again_replaces(registry):
    """An id stands once; its times may be moved on."""
    again = attrs.evolve(UPLOAD, used_at=9.0)
    for upload in (UPLOAD, again):
        await registry.note_upload(upload)

    assert (again,) == await registry.uploads("kimi", "a1")


async def test_what_is_forgotten_is_gone(registry):
    """Forgetting removes that one only, and twice is no fault."""
    other = attrs.evolve(UPLOAD, file_id="f2")
    for upload in (UPLOAD, other):
        await registry.note_upload(upload)
    for _ in range(2):
        await registry.forget_upload("kimi", "a1", "f1")

    assert (other,) == await registry.uploads("kimi", "a1")


@pytest.mark.real
async def test_uploads_survive_a_restart(tmp_path):
    """The next daemon knows what this one uploaded."""
    async with in_sqlite(tmp_path / "exai.db") as first:
        await first.note_upload(UPLOAD)
    async with in_sqlite(tmp_path / "exai.db") as second:
        assert (UPLOAD,) == await second.uploads("kimi", "a1")


async def test_an_upload_is_its_principals_alone(registry):
    """Another one's is neither found, listed nor forgotten; who holds a file is known. One id may be held by several."""
    other = registry.of("jwt:b")
    await registry.note_upload(UPLOAD)
    found = (await other.find_upload("kimi", "a1", "5a", "file-extract"), await other.uploads("kimi", "a1"))  # fmt: skip
    await other.forget_upload("kimi", "a1", "f1")
    alone = await registry.holders("kimi", "a1")
    await other.note_upload(UPLOAD)

    assert (None, ()) == found
    assert {"f1": {"owner"}} == alone
    assert {"f1": {"owner", "jwt:b"}} == await other.holders("kimi", "a1")
    assert ["owner"] == [upload.principal for upload in await registry.uploads("kimi", "a1")]
    assert ["jwt:b"] == [upload.principal for upload in await other.uploads("kimi", "a1")]


INTENT = UploadIntent(
    provider="kimi", account="a1", sha256="5a", purpose="file-extract", filename="ä.py", size=3, at=1.0
)  # fmt: skip


async def test_an_upload_that_was_begun_is_known_until_it_is_noted(registry):
    """By its content, for its principal alone; a later intent stands in the place of the first."""
    key = ("kimi", "a1", "5a", "file-extract")
    for at in (1.0, 2.0):
        await registry.begin_upload(attrs.evolve(INTENT, at=at))

    assert attrs.evolve(INTENT, at=2.0) == await registry.begun_upload(*key)
    assert await registry.of("ann").begun_upload(*key) is None
    assert await registry.begun_upload("kimi", "a1", "5b", "file-extract") is None
    await registry.note_upload(UPLOAD)
    assert await registry.begun_upload(*key) is None
