"""Stored contents go when no upload needs them; for lack of room also others that nobody refers to, the longest unused first."""

import attrs
import pytest
import trio
from database_in_memory import MemoryDatabase

from exai_trio.filestore.cleanup_report import CleanupReport
from exai_trio.filestore.deletions import dispose_objects
from exai_trio.storage.contracts.file_objects import ObjectFacts
from exai_trio.storage.contracts.provider_uploads import Content, Offer

SIZE = 10


@attrs.define
class Kept:
    """Objects of SIZE bytes each, and the registry that knows them."""

    now: float = 1_000.0
    objects: dict = attrs.field(factory=dict)
    database: MemoryDatabase = attrs.field(init=False)

    def __attrs_post_init__(self):
        self.database = MemoryDatabase(lambda: self.now)

    async def listed(self):
        return tuple(self.objects.values())

    def unlink(self, sha256):
        return SIZE if self.objects.pop(sha256, None) else 0

    async def put(self, sha256, *, referred=False, gone=False):
        self.now += 1.0
        uploads = self.database.uploads()
        content = Content(provider="kimi", account="a", purpose="p", sha256=sha256)
        offer = Offer(content=content, filename="a", size=SIZE, method="gateway")
        claim = await uploads.claim_upload(offer, "call:1", "one")
        self.objects[sha256] = ObjectFacts(
            sha256=sha256, file_id=sha256, size=SIZE, stored_at=self.now
        )
        await uploads.note_object(claim, sha256)
        await uploads.finish_upload(claim, f"f{sha256}", "a")
        if not referred:
            await uploads.decrement_file_reference(claim.upload.id, "call:1")
        if gone:
            await uploads.note_gone(claim.upload.id, f"f{sha256}")

    async def disposed(self, most, *, dry_run=False):
        report = CleanupReport(dry_run=dry_run)
        store = self.database.cleanup(self.unlink)
        await dispose_objects(store, self, most, report, trio.lowlevel.checkpoint)
        return [(each.subject, each.why, each.bytes) for stage in report.stages.values() for each in stage.shown]  # fmt: skip


@pytest.fixture
async def kept():
    found = Kept()
    for name in ("old", "young", "youngest"):
        await found.put(name)
    await found.put("used", referred=True)
    await found.put("gone", gone=True)
    return found


GONE = ("object:gone", "deleted everywhere", SIZE)


async def test_while_there_is_room_only_what_no_upload_needs_goes(kept):
    assert [GONE] == await kept.disposed(40)
    assert ["old", "young", "youngest", "used"] == list(kept.objects)


async def test_for_lack_of_room_the_longest_unused_go_until_the_rest_fits(kept):
    """Never one that somebody refers to, whatever the bound."""
    assert [GONE, ("object:old", "no room", SIZE), ("object:young", "no room", SIZE)] == (
        await kept.disposed(25)
    )
    assert [("object:youngest", "no room", SIZE)] == await kept.disposed(0)
    assert ["used"] == list(kept.objects)


@pytest.mark.parametrize("most", [0, 10, 25, 40, 50])
async def test_a_dry_run_says_what_a_run_does(kept, most):
    would = await kept.disposed(most, dry_run=True)

    assert 5 == len(kept.objects)
    assert would == await kept.disposed(most)
