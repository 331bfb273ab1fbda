"""The contract of cleaning up in a store: what each step takes, what it spares, and that each is noted."""

import re

import attrs
from registries import CONTENT, OFFER, given

from exai_trio.storage.contracts.cleanup_records import Account, Change
from exai_trio.storage.sqlite.uploads import cleanup_steps, deletion_queue, object_rows

KIMI = Account(provider="kimi", account="a1")
DAY = 86400.0


async def _counts(registry):
    return await registry.all("SELECT reference_count, upload_status FROM provider_file_uploads")


async def _conversation(registry, name, expires_in=3600.0):
    at = registry.clock.at
    await registry.conversations((name, at, at + expires_in))


async def test_conversations_are_marked_then_deleted_after_the_grace(embedded):
    """One that comes back meanwhile is as before; so is one that a clock ahead of ours has marked."""
    for name in ("gone", "back"):
        await _conversation(embedded, name, expires_in=1.0)
    await _conversation(embedded, "living")
    embedded.clock.at += 2
    marked = await embedded.run("expire_conversations")
    early = await embedded.run("purge_conversations")
    await embedded.do("UPDATE conversations SET expires_at = expires_at + 90000 WHERE id = 'back'")
    embedded.clock.at += 3600
    await embedded.run("expire_conversations")
    purged = await embedded.run("purge_conversations")

    assert ["conversation:gone", "conversation:back"] == [each.subject for each in marked]
    assert ([], ["conversation:gone"]) == (early, [each.subject for each in purged])
    assert [("back", None)] == await embedded.all(
        "SELECT id, marked_at FROM conversations WHERE id = 'back'"
    )


async def test_references_go_with_their_owners(registry):
    """A call's a day after it, a holder's after 30 days without use, a conversation's when that can come back no more."""
    await _conversation(registry, "c")
    upload = await given(registry.uploads, owner="call:1")
    for owner in ("held:owner", "conversation:c", "conversation:none"):
        await registry.uploads.increment_file_reference(upload.id, owner)
    assert [] == await registry.run("release_references")  # its call may be about to make it
    registry.clock.at += DAY + 1
    day = {each.subject.split()[0] for each in await registry.run("release_references")}
    await registry.run("expire_conversations")
    day |= {each.subject.split()[0] for each in await registry.run("release_references")}
    in_grace = await registry.run("release_references")
    registry.clock.at += 3601
    after = {each.subject.split()[0] for each in await registry.run("release_references")}
    registry.clock.at += 29 * DAY
    month = {each.subject.split()[0] for each in await registry.run("release_references")}

    assert {"call:1", "conversation:none"} == day
    assert ([], {"conversation:c"}, {"held:owner"}) == (in_grace, after, month)
    assert [(0, "completed")] == await _counts(registry)


async def test_a_deleted_conversations_reference_goes_at_once_if_no_call_runs(registry):
    upload = await given(registry.uploads)
    await registry.uploads.increment_file_reference(upload.id, "conversation:gone")

    assert ["conversation:gone"] == [
        each.subject.split()[0] for each in await registry.run("release_references")
    ]


async def test_only_what_is_unused_for_the_grace_is_condemned(registry):
    """The id moves to the deletions and the row is empty, in one transaction; a new claim starts afresh."""
    await given(registry.uploads, owner="call:1")
    await registry.uploads.end_owner("call:1")
    early = await registry.run("condemn_uploads")
    registry.clock.at += 3600
    would = await registry.run("condemn_uploads", dry_run=True)
    condemned = await registry.run("condemn_uploads")

    assert ([], would) == (early, condemned)
    assert [Change(subject="kimi:f1", why="unused, and nobody refers to it", bytes=3)] == condemned
    assert [("", "deleted")] == await registry.all(
        "SELECT provider_file_id, upload_status FROM provider_file_uploads"
    )
    again = await given(registry.uploads, file_id="f2")
    (job,) = await registry.cleanup.claim_jobs((KIMI,), 10)
    assert ("f2", "f1", "unused") == (again.provider_file_id, job.provider_file_id, job.reason)


async def test_what_is_referred_to_or_on_its_way_is_never_condemned(registry):
    await given(registry.uploads)
    other = attrs.evolve(OFFER, content=attrs.evolve(CONTENT, sha256="5b"))
    await registry.uploads.claim_upload(other, "call:1", "one")
    await registry.uploads.end_owner("call:1")
    registry.clock.at += 29  # the claim's lease is not over

    assert [] == await registry.run("condemn_uploads", grace_s=0.0)


async def test_a_reference_that_comes_after_the_look_saves_it(embedded):
    """The row is looked at again in the transaction that changes it."""
    upload = await given(embedded.uploads, owner="call:1")
    await embedded.uploads.end_owner("call:1")
    at = cleanup_steps.times(embedded.clock.at, embedded.clock.bounds(0.0))
    found = await embedded.database.read(lambda c: cleanup_steps.look(c, "condemn_uploads", at, 0))
    await embedded.uploads.increment_file_reference(upload.id, "conversation:c")
    done = await embedded.database.write(
        lambda c: cleanup_steps.change(c, "condemn_uploads", at, found)
    )

    assert (1, ()) == (len(found.keys), done)


async def test_deletions_are_claimed_once_and_tried_again_later_and_later(registry):
    """A job that is not finished is due again after a minute; one that fails later and later, ten times, then it is reported."""
    await _condemned(registry)
    (job,) = await registry.cleanup.claim_jobs((KIMI,), 10)
    assert () == await registry.cleanup.claim_jobs((KIMI,), 10)
    assert () == await registry.cleanup.claim_jobs((Account(provider="kimi", account="other"),), 10)
    registry.clock.at += 61
    (again,) = await registry.cleanup.claim_jobs((KIMI,), 10)
    assert not await registry.cleanup.finish_job(job)
    waits, last = [], False
    while not last:
        last = await registry.cleanup.fail_job(again, "busy")
        ((due,),) = await registry.all("SELECT due FROM file_deletion_jobs")
        waits.append(due - registry.clock.at)
        registry.clock.at = due
        if not last:
            (again,) = await registry.cleanup.claim_jobs((KIMI,), 10)

    assert [60, 120, 240, 480, 960, 1920, 3840, 7680, 15360, 21600] == waits
    assert () == await registry.cleanup.claim_jobs((KIMI,), 10)
    (entry, *_) = await registry.cleanup.newest(1)
    assert "not deleted after 10 tries: busy" == entry.change.why


async def _condemned(registry, grace_s=0.0):
    claim = await registry.uploads.claim_upload(OFFER, "call:1", "one")
    await registry.uploads.note_object(claim, "5a")
    await registry.uploads.finish_upload(claim, "f1", "a.py")
    await registry.uploads.end_owner("call:1")
    await registry.run("condemn_uploads", grace_s=grace_s)


async def test_the_object_goes_after_the_deletion_and_the_row_last(registry):
    await _condemned(registry)
    before = (await registry.cleanup.disposable(10), await registry.run("purge_uploads", 0.0))
    (job,) = await registry.cleanup.claim_jobs((KIMI,), 10)
    await registry.cleanup.finish_job(job)
    assert (((), []), ("5a",)) == (before, await registry.cleanup.disposable(10))
    assert [] == await registry.run("purge_uploads", 0.0)
    freed = await registry.cleanup.dispose("5a")

    assert (10, ["5a"]) == (freed, registry.unlinked)
    assert 1 == len(await registry.run("purge_uploads", 0.0))
    assert [] == await registry.all("SELECT * FROM provider_file_uploads")


async def test_an_object_is_never_taken_from_a_claim(registry):
    """Nor from an upload that the provider has, but for its room; nor from one that is referred to."""
    claim = await registry.uploads.claim_upload(OFFER, "call:1", "one")
    await registry.uploads.note_object(claim, "5a")
    pending = [
        await registry.cleanup.dispose("5a"),
        await registry.cleanup.dispose("5a", even_known=True),
    ]
    await registry.uploads.finish_upload(claim, "f1", "a.py")
    assert ((), ()) == (
        await registry.cleanup.unreferenced(10),
        await registry.cleanup.disposable(10),
    )
    referred = await registry.cleanup.dispose("5a", even_known=True)
    await registry.uploads.end_owner("call:1")

    assert ([0, 0], 0, 0) == (pending, referred, await registry.cleanup.dispose("5a"))
    assert ("5a",) == await registry.cleanup.unreferenced(10)
    assert 10 == await registry.cleanup.dispose("5a", even_known=True)
    assert [("", "f1")] == await registry.all(
        "SELECT file_id, provider_file_id FROM provider_file_uploads"
    )


async def test_each_change_is_noted_and_the_audit_is_kept_for_its_time(registry):
    await _condemned(registry)
    entries = await registry.cleanup.newest(10)
    registry.clock.at += 31 * DAY
    await registry.run("purge_audit")

    assert [("condemn", "kimi:f1")] == [(each.stage, each.change.subject) for each in entries]
    assert () == await registry.cleanup.newest(10)


async def test_steps_end_however_many_rows_there_are(embedded):
    """At most 200 rows in one transaction, every row once."""
    await embedded.database.write(
        lambda c: c.executemany(
            "INSERT INTO conversations (id, created_at, expires_at) VALUES (?, 0, ?)",
            ((f"c{n}", 1.0 if n % 3 else 9e9) for n in range(4500)),
        )
    )
    first = await embedded.cleanup.step("expire_conversations", embedded.clock.bounds())
    rest = await embedded.run("expire_conversations")

    assert (200, 2800) == (len(first.changes), len(rest))


async def test_what_is_owed_to_providers_is_never_read_as_a_whole(embedded):
    """However many deletions a provider that is away is owed: the due ones are found in order, and those of one upload at once."""
    purge = cleanup_steps._still(cleanup_steps.SQL["purge_uploads"])
    plans = []
    for query, values in (
        (deletion_queue._DUE, ("kimi", "a1", 0, 0, 10)),
        (object_rows._DISPOSABLE, (10,)),
        (purge, {"time": 0, "grace": 0, "key": 1}),
    ):
        plans += await embedded.plan(query, values)
    jobs = [plan for plan in plans if re.search(r" (j|file_deletion_jobs) |FOR ORDER BY", plan)]

    assert 3 == len(jobs)
    assert all(plan.startswith("SEARCH ") for plan in jobs)


async def test_a_lease_is_one_holders_until_it_is_over(registry):
    """Whoever takes it over has a higher fence; the first one's is worth nothing then."""
    take = registry.cleanup.take
    first = await take("cleanup", "a", 60.0)
    assert await take("cleanup", "b", 60.0) is None
    assert await registry.cleanup.renew(first, 60.0)
    registry.clock.at += 61
    second = await take("cleanup", "b", 60.0)
    assert not await registry.cleanup.renew(first, 60.0)
    await registry.cleanup.give_back(first)
    assert await take("cleanup", "a", 60.0) is None
    await registry.cleanup.give_back(second)
    third = await take("cleanup", "a", 60.0)

    assert [1, 2, 3] == [first.fence, second.fence, third.fence]
