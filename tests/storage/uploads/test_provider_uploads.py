"""The contract of the registry of uploads: each content once at a provider, by claims that end; references as rows."""

import attrs
import pytest
from registries import CONTENT, OFFER, given

from exai_trio.storage.contracts.provider_uploads import Busy, Claim, Known
from exai_trio.storage.sqlite.uploads.claims import LEASE_S


async def test_the_first_has_the_claim_and_all_others_wait(registry):
    """One claim at a time; each who asks refers to the upload already."""
    first = await registry.uploads.claim_upload(OFFER, "call:1", "one")
    second = await registry.uploads.claim_upload(OFFER, "call:2", "two")

    assert isinstance(first, Claim)
    assert second == Busy(wait_s=LEASE_S)
    assert [(2, "pending")] == await registry.all(
        "SELECT reference_count, upload_status FROM provider_file_uploads"
    )


async def test_who_was_killed_and_runs_again_does_not_wait(registry):
    """Under its own name; what an earlier run finishes late is not the upload's."""
    first = await registry.uploads.claim_upload(OFFER, "call:1", "one")
    again = await registry.uploads.claim_upload(OFFER, "call:1", "one")

    assert (1, 2) == (first.fence, again.fence)
    assert await registry.uploads.finish_upload(first, "f1", "a.py") is None


async def test_what_the_provider_has_is_known_by_its_content(registry):
    upload = await given(registry.uploads)
    again = await registry.uploads.claim_upload(OFFER, "call:2", "two")

    assert ("f1", "completed", 1) == (
        upload.provider_file_id, upload.upload_status, upload.reference_count,
    )  # fmt: skip
    assert isinstance(again, Known)
    assert ("f1", True) == (again.upload.provider_file_id, again.held_before)
    assert (2,) == tuple(u.reference_count for u in await registry.uploads.uploads("kimi", "a1"))


@pytest.mark.parametrize(
    "other", [{"provider": "glm"}, {"account": "a2"}, {"purpose": "image"}, {"sha256": "5b"}]
)
async def test_another_account_content_or_purpose_is_another_upload(registry, other):
    """An id is good only for the account, content and purpose it was made for."""
    await given(registry.uploads)
    offer = attrs.evolve(OFFER, content=attrs.evolve(CONTENT, **other))

    assert isinstance(await registry.uploads.claim_upload(offer, "call:2", "two"), Claim)


async def test_another_principal_is_not_told_that_it_was_there(registry):
    """It gets the id, and whose else it is stays unsaid; each sees what is theirs."""
    await given(registry.uploads)
    ann = registry.uploads.of("ann")
    before = await ann.uploads("kimi", "a1")
    known = await ann.claim_upload(OFFER, "held:ann", "ann")
    again = await ann.claim_upload(OFFER, "held:ann", "ann")

    assert ((), "f1", False, True) == (
        before, known.upload.provider_file_id, known.held_before, again.held_before,
    )  # fmt: skip
    assert {"f1": {"owner", "ann"}} == await registry.uploads.holders("kimi", "a1")


async def test_a_reference_counts_once_however_often_it_is_made(registry):
    upload = await given(registry.uploads)
    for _ in range(3):
        assert await registry.uploads.increment_file_reference(upload.id, "conversation:c")
    counts = [await _count(registry)]
    for _ in range(3):
        await registry.uploads.decrement_file_reference(upload.id, "conversation:c")
    counts.append(await _count(registry))
    await registry.uploads.increment_file_reference(upload.id, "conversation:c")

    assert [2, 1, 2] == [*counts, await _count(registry)]
    assert not await registry.uploads.increment_file_reference("no such", "conversation:c")


async def _count(registry):
    ((count,),) = await registry.all("SELECT reference_count FROM provider_file_uploads")
    return count


async def test_an_owner_ends_with_all_its_references(registry):
    await given(registry.uploads, owner="call:1")
    other = attrs.evolve(OFFER, content=attrs.evolve(CONTENT, sha256="5b"))
    await given(registry.uploads, other, owner="call:1", file_id="f2")

    assert (2, 0) == (
        await registry.uploads.end_owner("call:1"),
        await registry.uploads.end_owner("call:1"),
    )
    assert [(0,), (0,)] == await registry.all("SELECT reference_count FROM provider_file_uploads")


async def test_it_is_known_to_have_been_held_when_the_reference_has_ended(registry):
    await given(registry.uploads, owner="call:1")
    await registry.uploads.end_owner("call:1")

    assert (await registry.uploads.claim_upload(OFFER, "call:2", "two")).held_before


async def test_a_claim_that_is_not_renewed_is_taken_over(registry):
    """The next claimant knows since when the provider may have a file; the fence is higher."""
    start = registry.clock.at
    first = await registry.uploads.claim_upload(OFFER, "call:1", "one")
    registry.clock.at += LEASE_S - 1
    assert await registry.uploads.renew_claim(first)
    registry.clock.at += LEASE_S - 1
    assert isinstance(await registry.uploads.claim_upload(OFFER, "call:2", "two"), Busy)
    registry.clock.at += 2
    second = await registry.uploads.claim_upload(OFFER, "call:2", "two")

    assert (1, 2, None, start) == (
        first.fence, second.fence, first.upload.began_at, second.upload.began_at,
    )  # fmt: skip
    assert not await registry.uploads.renew_claim(first)
    assert not await registry.uploads.note_object(first, "5a")
    assert await registry.uploads.note_object(second, "5a")


async def _taken_over(registry):
    first = await registry.uploads.claim_upload(OFFER, "call:1", "one")
    registry.clock.at += LEASE_S + 1
    return first, await registry.uploads.claim_upload(OFFER, "call:2", "two")


async def test_a_late_one_queues_its_file_for_deletion(registry):
    """Whoever finishes after the claim was taken over: what it left at the provider is deleted, the row is the other's."""
    first, second = await _taken_over(registry)
    late = await registry.uploads.finish_upload(first, "late", "a.py")
    done = await registry.uploads.finish_upload(second, "f2", "a.py")
    later = await registry.uploads.finish_upload(first, "later", "a.py")

    assert (None, "f2", None) == (late, done.provider_file_id, later)
    assert [("late",), ("later",)] == await registry.all(
        "SELECT provider_file_id FROM file_deletion_jobs ORDER BY id"
    )


async def test_a_late_one_whose_file_was_found_takes_nothing_away(registry):
    """The other has adopted that very file."""
    first, second = await _taken_over(registry)
    await registry.uploads.finish_upload(second, "f1", "a.py")

    assert "f1" == (await registry.uploads.finish_upload(first, "f1", "a.py")).provider_file_id
    assert [] == await registry.all("SELECT * FROM file_deletion_jobs")


async def test_a_file_that_was_queued_before_it_was_found_is_wanted_again(registry):
    """Nobody has begun to delete it: it is the upload's. Once somebody has, it is of no use."""
    first, second = await _taken_over(registry)
    await registry.uploads.finish_upload(first, "f1", "a.py")
    found = await registry.uploads.finish_upload(second, "f1", "a.py")

    assert "f1" == found.provider_file_id
    assert [] == await registry.all("SELECT * FROM file_deletion_jobs")


async def test_a_file_that_is_being_deleted_is_not_handed_out(registry):
    first, second = await _taken_over(registry)
    await registry.uploads.finish_upload(first, "f1", "a.py")
    await registry.do("UPDATE file_deletion_jobs SET fence = 1, claimed_until = 0")
    refused = await registry.uploads.finish_upload(second, "f1", "a.py")
    afresh = await registry.uploads.claim_upload(OFFER, "call:2", "two")

    assert refused is None
    assert (Claim, None) == (type(afresh), afresh.upload.began_at)


async def test_a_failure_ends_the_claim_and_the_calls_reference(registry):
    """The stored object is known for the next claim, and that a file may be at the provider."""
    claim = await registry.uploads.claim_upload(OFFER, "call:1", "one")
    await registry.uploads.note_object(claim, "5a")
    await registry.uploads.fail_upload(claim, "too busy", "call:1")
    ((status, error, count),) = await registry.all(
        "SELECT upload_status, error_message, reference_count FROM provider_file_uploads"
    )
    again = await registry.uploads.claim_upload(OFFER, "call:2", "two")

    assert ("failed", "too busy", 0) == (status, error, count)
    assert ("5a", registry.clock.at) == (again.upload.file_id, again.upload.began_at)


async def test_what_is_gone_is_uploaded_again_into_its_row(registry):
    """The references stay; noting it of an id that the row has no more changes nothing."""
    upload = await given(registry.uploads)
    await registry.uploads.note_gone(upload.id, upload.provider_file_id)
    again = await given(registry.uploads, file_id="f2")
    await registry.uploads.note_gone(upload.id, upload.provider_file_id)

    assert (upload.id, "f2", 1) == (again.id, again.provider_file_id, again.reference_count)
    assert [again] == list(await registry.uploads.uploads("kimi", "a1"))


async def test_uploads_of_one_size_that_have_begun_are_rivals(registry):
    """What one of them has left at the provider could be another's."""
    other = attrs.evolve(OFFER, content=attrs.evolve(CONTENT, sha256="5b"))
    longer = attrs.evolve(OFFER, content=attrs.evolve(CONTENT, sha256="5c"), size=4)
    rivals = [
        (await registry.uploads.claim_upload(offer, "call:1", "one")).rivals
        for offer in (OFFER, other, longer)
    ]

    assert [0, 1, 0] == rivals


async def test_a_file_is_abandoned_unless_another_principal_refers_to_it(reached):
    """Its row is empty, and the deletion is the asker's."""
    await given(reached.uploads)
    ann = reached.uploads.of("ann")
    await ann.claim_upload(OFFER, "held:ann", "ann")
    kept = await reached.uploads.abandon_file("kimi", "a1", "f1")
    job = await ann.abandon_file("kimi", "a1", "f1")

    assert (None, "f1", 1) == (kept, job.provider_file_id, job.fence)
    assert ((), ()) == (
        await reached.uploads.uploads("kimi", "a1"), await ann.uploads("kimi", "a1"),
    )  # fmt: skip
    assert {"f1": frozenset()} == await ann.holders("kimi", "a1")
    assert await reached.cleanup.finish_job(job)
    assert {} == await ann.holders("kimi", "a1")


async def test_one_file_of_two_uploads_is_not_deleted_with_one_of_them(registry):
    """Some services give one id for one content."""
    await given(registry.uploads)
    other = attrs.evolve(OFFER, content=attrs.evolve(CONTENT, purpose="assistants"))
    await given(registry.uploads, other, owner="call:1")
    await registry.uploads.end_owner("call:1")
    registry.clock.at += 7200
    await registry.run("condemn_uploads")

    assert [("f1", "completed"), ("", "deleted")] == await registry.all(
        "SELECT provider_file_id, upload_status FROM provider_file_uploads ORDER BY reference_count DESC"
    )
    assert [] == await registry.all("SELECT * FROM file_deletion_jobs")
