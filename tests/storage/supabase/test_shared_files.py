"""Files that two machines share through one Supabase: given to a provider once, stored once, and caught up with after an outage."""

import hashlib

import attrs
import pytest
import trio
from hosted.gateway import Switches
from hosted.shared_machine import open_shared_machine

from exai_trio.errors import NotFoundError, StorageError
from exai_trio.storage.contracts.provider_uploads import Busy, Claim, Content, Known, Later, Offer

pytestmark = pytest.mark.real

TEXT = b"seven letters" * 1000
SHA256 = hashlib.sha256(TEXT).hexdigest()
CONTENT = Content(provider="kimi", account="a1", purpose="file-extract", sha256=SHA256)
OFFER = Offer(content=CONTENT, filename="a.py", size=len(TEXT), method="gateway")


@pytest.fixture
async def machines(gateway, tmp_path):
    async with (
        open_shared_machine(tmp_path / "one", gateway) as one,
        open_shared_machine(tmp_path / "two", gateway) as two,
    ):
        yield one, two


async def pieces(content=TEXT):
    await trio.lowlevel.checkpoint()
    yield content


async def read(machine):
    async with machine.files.contents.open(SHA256) as found:
        return b"".join([piece async for piece in found])


async def given(machine, file_id="f1", owner="conversation:c"):
    claim = await machine.registry.claim_upload(OFFER, owner, owner)
    assert isinstance(claim, Claim)
    facts = await machine.files.contents.put(SHA256, len(TEXT), pieces())
    await machine.registry.note_object(claim, facts.file_id)
    return await machine.registry.finish_upload(claim, file_id, "a.py")


async def test_what_one_has_given_the_other_need_not(machines, stage):
    """It waits for a claim, is told the id, and reads the content from the bucket."""
    one, two = machines
    claim = await one.registry.claim_upload(OFFER, "call:1", "one")
    waits = await two.registry.claim_upload(OFFER, "call:2", "two")
    await one.registry.fail_upload(claim, "busy", "call:1")
    upload = await given(one)
    known = await two.registry.claim_upload(OFFER, "conversation:d", "two")
    two.go_away()
    remembered = await two.registry.claim_upload(OFFER, "conversation:d", "two")

    assert (known.upload.id, "f1") == (remembered.upload.id, remembered.upload.provider_file_id)
    assert (Busy, Known) == (type(waits), type(known))
    assert ("f1", SHA256) == (known.upload.provider_file_id, known.upload.file_id)
    two.come_back()
    assert (TEXT, {SHA256}) == (
        await read(two), set(stage.storage.buckets["exai-files"].objects),
    )  # fmt: skip
    assert [(3, upload.id)] == stage.execute(
        "select reference_count, id from provider_file_uploads"
    )


async def test_while_it_is_away_a_known_file_is_known(machines, stage):
    """Nothing is uploaded again; what refers to it then is told later."""
    one, _ = machines
    await given(one)
    one.go_away()
    known = await one.registry.claim_upload(OFFER, "conversation:later", "one")
    await one.registry.end_owner("conversation:c")
    seen = await one.registry.uploads("kimi", "a1")
    one.come_back()
    await one.wait_sent()

    assert ("f1", ("f1",)) == (
        known.upload.provider_file_id, tuple(each.provider_file_id for each in seen),
    )  # fmt: skip
    assert [("conversation:c", True), ("conversation:later", False)] == stage.execute(
        "select owner, ended_at is not null from file_references order by owner"
    )


async def test_what_both_gave_while_apart_is_one_upload_afterwards(machines, stage):
    """The first that is told stays; the other's file stays for a month, for whoever has its id."""
    one, two = machines
    for machine, name in ((one, "f1"), (two, "f2")):
        machine.go_away()
        await given(machine, name, owner=f"conversation:{name}")
        assert SHA256 in machine.contents.shared.missing
    one.come_back()
    await one.wait_sent()
    two.come_back()
    await two.wait_sent()
    known = [await each.registry.claim_upload(OFFER, "call:3", "three") for each in machines]

    assert ["f1", "f1"] == [each.upload.provider_file_id for each in known]
    assert [SHA256, SHA256] == [each.upload.file_id for each in known]
    assert [("f2", 29)] == stage.execute(
        "select provider_file_id, extract(day from due - now())::integer from file_deletion_jobs"
    )
    assert [(3,)] == stage.execute("select reference_count from provider_file_uploads")
    assert {SHA256: TEXT} == stage.storage.buckets["exai-files"].objects
    assert {} == two.contents.shared.missing


async def test_an_upload_that_it_did_not_hear_the_end_of_is_told_later(machines, stage):
    """The provider has it; the claim was made over there."""
    one, two = machines
    claim = await one.registry.claim_upload(OFFER, "call:1", "one")
    one.go_away()
    upload = await one.registry.finish_upload(claim, "f1", "a.py")
    one.come_back()
    await one.wait_sent()
    known = await two.registry.claim_upload(OFFER, "call:2", "two")

    assert (upload.id, "f1") == (known.upload.id, known.upload.provider_file_id)


async def test_a_content_that_arrives_while_it_is_given_stays_known(machines, stage):
    """The bucket did not take it, and gets it before the upload goes on."""
    one, _ = machines
    claim = await one.registry.claim_upload(OFFER, "call:1", "one")
    one.go_away()
    facts = await one.files.contents.put(SHA256, len(TEXT), pieces())
    one.come_back()
    await one.wait_sent()
    is_ours = await one.registry.note_object(claim, facts.file_id)
    await one.registry.finish_upload(claim, "f1", "a.py")

    assert ("", True) == (facts.file_id, is_ours)
    assert [("f1", SHA256)] == stage.execute(
        "select provider_file_id, file_id from provider_file_uploads"
    )


@pytest.mark.parametrize(
    "function",
    [
        "claim_upload",
        "exai_begin_object",
        "exai_note_object",
        "finish_upload",
        "exai_end_owner",
        "fail_upload",
    ],
)
async def test_an_answer_that_is_lost_after_the_commit_changes_nothing(
    machines, stage, gateway, function
):
    """The upload is there once, its references are those that were made, and nothing is queued to be deleted."""
    one, two = machines
    gateway.wrong[f"/rest/v1/rpc/{function}"] = Switches(cut_request=True, times=1)
    failed = await one.registry.claim_upload(OFFER, "call:0", "conversation:c")
    await one.registry.fail_upload(failed, "busy", "call:0")
    await given(one)
    await one.registry.end_owner("call:9")
    gateway.wrong.clear()
    one.come_back()
    await one.wait_sent()
    known = await two.registry.claim_upload(OFFER, "conversation:d", "two")

    assert ("f1", SHA256) == (known.upload.provider_file_id, known.upload.file_id)
    assert [("completed", [])] == stage.execute(
        "select upload_status, array(select provider_file_id from file_deletion_jobs) from provider_file_uploads"
    )
    assert {"conversation:c", "conversation:d"} == {
        owner
        for (owner,) in stage.execute(
            "select owner from file_references where ended_at is null and owner like 'conversation:%'"
        )
    }


async def test_who_else_refers_to_a_file_is_not_guessed(machines, stage):
    """Abandoned while it is away: the provider keeps it until Supabase says that nobody does."""
    one, two = machines
    await given(one)
    await two.registry.of("ann").claim_upload(OFFER, "held:ann", "two")
    one.go_away()
    later = await one.registry.abandon_file("kimi", "a1", "f1")
    one.come_back()
    await one.wait_sent()
    job = await two.registry.of("ann").abandon_file("kimi", "a1", "f1")

    assert (Later(), "f1", True) == (later, job.provider_file_id, job.is_hosted)
    await two.files.settle(job)
    assert [(0,)] == stage.execute("select count(*) from file_deletion_jobs")
    assert {} == stage.storage.buckets["exai-files"].objects


@pytest.mark.parametrize("wrong", ["too large", "busy"])
async def test_a_bucket_that_takes_nothing_gets_it_later(machines, stage, gateway, wrong):
    """The content stands in here, and the answer says why it has no id there."""
    one, two = machines
    if wrong == "too large":
        stage.storage.plan_limit = 1000
    else:
        gateway.wrong["/storage"] = Switches(status=503)
    upload = await given(one)
    why = one.contents.shared.missing[SHA256]
    with pytest.raises((NotFoundError, StorageError)):
        await read(two)
    stage.storage.plan_limit = 50 * 1024 * 1024
    gateway.wrong.clear()
    await one.store.write(lambda c: c.execute("UPDATE unsent_objects SET due = 0"))
    one.come_back()
    await one.wait_sent()
    known = await two.registry.claim_upload(OFFER, "call:2", "two")

    assert ("", SHA256) == (upload.file_id, known.upload.file_id)
    assert ("file of this size" if wrong == "too large" else "cannot be used now") in why
    assert TEXT == await read(two)


async def test_a_damaged_object_is_not_used(machines, stage):
    """One bit is enough."""
    one, two = machines
    await given(one)
    stage.storage.buckets["exai-files"].objects[SHA256] = b"S" + TEXT[1:]

    with pytest.raises(StorageError, match="damaged"):
        await read(two)
    assert () == await two.files.objects.listed()


async def test_the_local_cleaning_leaves_what_is_shared(machines, stage):
    """A copy that nobody here refers to goes from this machine; the provider's file and the bucket's object stay."""
    from exai_trio.storage.contracts.cleanup_records import Bounds

    one, _ = machines
    await given(one, owner="call:1")
    await one.files.registry.of("owner").local.quiet.end_owner("call:1")
    bounds = Bounds(now=0.0, grace_s=-10.0, history_s=1e9)
    done = await one.files.cleanup.step("condemn_uploads", bounds)
    freed = await one.files.cleanup.dispose(SHA256)
    jobs = await one.store.read(
        lambda c: c.execute("SELECT count(*) FROM file_deletion_jobs").fetchone()
    )

    assert (1, len(TEXT), (0,)) == (len(done.changes), freed, jobs)
    assert (TEXT, "f1") == (
        await read(one), (await one.registry.uploads("kimi", "a1"))[0].provider_file_id,
    )  # fmt: skip


async def test_the_shared_cleaning_takes_all_that_is_unused(machines, stage):
    """In order: references, the id, the provider's file, the object, the row."""
    from exai_trio.filestore.cleanup_coordinator import CleanupCoordinator, CleanupLimits
    from exai_trio.principals import OWNER
    from exai_trio.storage.contracts.cleanup_records import Account

    one, two = machines
    await given(one, owner="conversation:gone")
    shelf = Shelf({"f1", "somebody else's"})
    hosted = two.files.hosted
    clean = CleanupCoordinator(
        store=hosted.cleanup,
        registry=hosted.registry.of(OWNER),
        objects=hosted.bucket,
        shelves=lambda: {Account(provider="kimi", account="a1"): shelf},
        limits=CleanupLimits(grace_s=-1.0, history_s=1e9, files_bytes=10**9),
        now=lambda: 0.0,
    )
    report = await clean.run(daily=False)

    assert {"release": 1, "condemn": 1, "delete": 3} == {
        name: stage.changed for name, stage in report.stages.items() if stage.changed
    }
    assert ({"somebody else's"}, ["kimi:somebody else's"]) == (shelf.files, report.unknown)
    assert {} == stage.storage.buckets["exai-files"].objects
    assert [(0, 0)] == stage.execute(
        "select (select count(*) from provider_file_uploads), (select count(*) from files)"
    )


@attrs.define
class Shelf:
    """A provider's files by id."""

    files: set

    async def delete(self, file_id):
        await trio.lowlevel.checkpoint()
        self.files.discard(file_id)

    async def listed(self):
        await trio.lowlevel.checkpoint()
        return tuple(attrs.make_class("File", {"id": attrs.field()})(each) for each in self.files)
