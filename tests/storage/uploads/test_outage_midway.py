"""A registry of two sides, one of which goes away between two steps: the work goes on here, and the other side hears of it later."""

import attrs
import pytest
from registries import CONTENT, OFFER, given, in_memory, mirror_of

from exai_trio.storage.contracts.provider_uploads import Busy, Claim, Known, Later
from exai_trio.storage.hosted.hosted_faults import HostedAway


@pytest.fixture
async def mirror():
    async with in_memory(None) as other:
        yield mirror_of(other)


async def kept_here(mirror):
    return {upload.provider_file_id for upload in await mirror.here.quiet.uploads("kimi", "a1")}


async def test_what_was_claimed_there_is_finished_here(mirror):
    """The file is known by its content from then on, and the other side hears who refers to it."""
    claim = await mirror.uploads.claim_upload(OFFER, "call:1", "one")
    mirror.other.reach.is_away = True
    upload = await mirror.uploads.finish_upload(claim, "f1", "a.py")
    again = await mirror.uploads.claim_upload(OFFER, "call:2", "two")

    assert ("f1", "completed", "a.py") == (
        upload.provider_file_id, upload.upload_status, upload.filename,
    )  # fmt: skip
    assert isinstance(again, Known)
    ((kind, first), (_, second)) = await mirror.told_later()
    assert kind == "upload"
    assert first["upload"]["provider_file_id"] == "f1"
    assert ["call:1"] == [one["owner"] for one in first["references"]]
    assert {"call:1", "call:2"} == {one["owner"] for one in second["references"]}


async def test_nobody_is_told_of_what_both_sides_know(mirror):
    """While the other side answers, nothing waits to be sent; this side knows all that it will need."""
    upload = await given(mirror.uploads)
    known = await mirror.uploads.claim_upload(OFFER, "call:2", "two")
    await mirror.uploads.increment_file_reference(upload.id, "call:3")
    await mirror.uploads.decrement_file_reference(upload.id, "call:3")

    assert isinstance(known, Known)
    assert [] == await mirror.told_later()
    assert {"f1"} == await kept_here(mirror)


async def test_a_claim_of_the_other_side_is_renewed_nowhere_else(mirror):
    """Whether it is still ours shows when it is finished; that an object is stored here nobody knows better."""
    claim = await mirror.uploads.claim_upload(OFFER, "call:1", "one")
    there = [await mirror.uploads.note_object(claim, file) for file in ("", "5a")]
    mirror.other.reach.is_away = True
    with pytest.raises(HostedAway):
        await mirror.uploads.renew_claim(claim)

    assert [True, True] == there
    assert await mirror.uploads.note_object(claim, "5a")


async def test_a_claim_of_this_side_stays_its_own(mirror):
    """It is renewed, noted and finished here, also when the other side is back; then both are listed."""
    other = attrs.evolve(OFFER, content=attrs.evolve(CONTENT, sha256="5b"))
    await given(mirror.uploads, other, file_id="f2")
    mirror.other.reach.is_away = True
    claim = await mirror.uploads.claim_upload(OFFER, "held:owner", "one")
    waiting = await mirror.uploads.claim_upload(OFFER, "call:2", "two")
    mirror.other.reach.is_away = False
    kept = [await mirror.uploads.renew_claim(claim), await mirror.uploads.note_object(claim, "")]
    await mirror.uploads.finish_upload(claim, "f1", "a.py")
    listed = await mirror.uploads.uploads("kimi", "a1")

    assert isinstance(claim, Claim)
    assert not claim.is_hosted
    assert isinstance(waiting, Busy)
    assert [True, True] == kept
    assert ["f2", "f1"] == [upload.provider_file_id for upload in listed]
    assert {"f2": {"owner"}, "f1": {"owner"}} == await mirror.uploads.holders("kimi", "a1")


@pytest.mark.parametrize("away_at", ["claim", "failure"])
async def test_a_failure_that_the_other_side_does_not_hear_ends_the_reference_here(mirror, away_at):
    """Nothing is told later: the lease there ends by itself."""
    mirror.other.reach.is_away = away_at == "claim"
    claim = await mirror.uploads.claim_upload(OFFER, "call:1", "one")
    mirror.other.reach.is_away = True
    await mirror.uploads.fail_upload(claim, "refused", "call:1")

    assert 0 == await mirror.uploads.end_owner("call:1")
    assert [] == await mirror.told_later()
    assert isinstance(await mirror.uploads.claim_upload(OFFER, "call:2", "two"), Claim)


async def test_references_of_an_outage_are_told_later(mirror):
    """Made, ended, and ended with their owner."""
    upload = await given(mirror.uploads)
    mirror.other.reach.is_away = True
    made = await mirror.uploads.increment_file_reference(upload.id, "conversation:c")
    unknown = await mirror.uploads.increment_file_reference("no such", "conversation:c")
    await mirror.uploads.decrement_file_reference(upload.id, "conversation:c")
    ended = await mirror.uploads.end_owner("held:owner")
    newest = (await mirror.told_later())[-1][1]

    assert (True, False, 1) == (made, unknown, ended)
    assert {"held:owner": True, "conversation:c": True} == {
        one["owner"]: one["ended"] for one in newest["references"]
    }


async def test_a_reference_of_an_outage_is_told_again_when_it_is_made_again(mirror):
    """The other side does not know the file of an outage yet."""
    mirror.other.reach.is_away = True
    upload = await given(mirror.uploads)
    mirror.other.reach.is_away = False

    assert await mirror.uploads.increment_file_reference(upload.id, "conversation:c")
    assert 2 == len((await mirror.told_later())[-1][1]["references"])


async def test_an_abandoned_file_is_forgotten_here_and_told_later(mirror):
    """Whether others refer to it, only the other side can say."""
    await given(mirror.uploads)
    mirror.other.reach.is_away = True
    answer = await mirror.uploads.abandon_file("kimi", "a1", "f1")

    assert isinstance(answer, Later)
    assert set() == await kept_here(mirror)
    assert [("abandon", {"provider": "kimi", "account": "a1", "file": "f1", "principal": "owner", "lease_s": 0.0})] \
        == await mirror.told_later()  # fmt: skip


async def test_an_abandoned_file_is_forgotten_on_both_sides(mirror):
    """While both are there; the job of the deletion is the other side's."""
    await given(mirror.uploads)
    job = await mirror.uploads.abandon_file("kimi", "a1", "f1")

    assert "f1" == job.provider_file_id
    assert ([], set()) == (await mirror.told_later(), await kept_here(mirror))
    assert () == await mirror.uploads.uploads("kimi", "a1")


async def test_a_file_that_is_gone_is_noted_here_while_the_other_side_is_away(mirror):
    """It is claimed afresh."""
    upload = await given(mirror.uploads)
    mirror.other.reach.is_away = True
    await mirror.uploads.note_gone(upload.id, "f1")

    assert isinstance(await mirror.uploads.claim_upload(OFFER, "call:2", "two"), Claim)


async def test_what_this_side_began_takes_the_name_that_the_other_gives_it(mirror):
    """References of an outage come along to the id that all machines know."""
    mirror.other.reach.is_away = True
    here = await given(mirror.uploads, owner="call:1")
    mirror.other.reach.is_away = False
    await mirror.other.finish_upload(await mirror.other.claim_upload(OFFER, "call:9", "nine"), "f9", "a.py")  # fmt: skip
    known = await mirror.uploads.claim_upload(OFFER, "call:2", "two")
    (listed,) = await mirror.here.quiet.uploads("kimi", "a1")

    assert known.upload.id != here.id
    assert (known.upload.id, "f9", 2) == (listed.id, listed.provider_file_id, listed.reference_count)  # fmt: skip
    mirror.other.reach.is_away = True
    assert {"f9": {"owner"}} == await mirror.uploads.holders("kimi", "a1")
