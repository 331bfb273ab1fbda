"""Uploads, releases and cleaning up in every order, with a kill at every step: no id of nothing, nothing lost, nothing unknown."""

from functools import partial

import attrs
import pytest
from interleavings import Story, explore, recovered
from stepped import clean, finish, give

from exai_trio.storage.sqlite.uploads import (
    claims,
    cleanup_steps,
    deletion_queue,
    file_references,
    object_rows,
)

ROWS = """
    SELECT u.sha256, u.provider_file_id, u.file_id, u.upload_status, u.reference_count,
        (SELECT count(*) FROM file_references r WHERE r.upload = u.id AND r.ended_at IS NULL)
    FROM provider_file_uploads u
"""


def check(world):
    """What is wrong with this state, or ""."""
    if world.broken:
        return world.broken[0]
    owed = {file_id for (file_id,) in world.rows("SELECT provider_file_id FROM file_deletion_jobs")}
    for row in world.rows(ROWS):
        wrong = _wrong_with(world, owed, row)
        if wrong:
            return wrong
    return ""


def _wrong_with(world, owed, row):
    sha256, file_id, object_id, status, count, rows = row
    file, wrong = world.shelf.get(file_id), ""
    if status == "completed" and (file is None or file.sha256 != sha256):
        wrong = f"{sha256} has the id {file_id}, under which the provider has {file}"
    elif object_id and sha256 not in world.objects:
        wrong = f"{sha256} has an object that is not there"
    elif status == "completed" and file_id in owed:
        wrong = f"{sha256} has the id {file_id}, which is to be deleted"
    elif status == "deleted" and count:
        wrong = f"{sha256} is referred to, and the provider has it no more"
    elif count != rows:
        wrong = f"{sha256} counts {count} references of {rows}"
    return wrong


def check_end(world, killed):
    """After all have ended, and one cleaning up: what EXAI has left is known or told of."""
    held = {sha256: count for sha256, _, _, _, count, _ in world.rows(ROWS) if count}
    before = len(world.shelf)
    recovered(world)
    wrong = check(world)
    if wrong:
        return f"after the cleaning up {wrong}"
    known = {file_id for _, file_id, _, _, _, _ in world.rows(ROWS)}
    unknown = set(world.shelf) - known - {each.removeprefix("kimi:") for each in world.reported}
    if unknown:
        return f"nobody knows {unknown}"
    if world.objects - {sha256 for sha256, *_ in world.rows(ROWS)}:
        return "an object was left"
    if not killed and world.reported:
        return f"{world.reported} is EXAI's own ({before} files, {held})"
    return ""


def _gone(world, blob, owner):
    """The content was given and let go before."""
    finish(give(world, blob, owner, release=True))
    world.at += 1.0


STORIES = {
    "two put one blob": Story(
        actors={
            "a": partial(give, blob="A", owner="call:a"),
            "b": partial(give, blob="A", owner="conversation:b", release=True),
        },
        check=check,
        check_end=check_end,
    ),
    "put what is being condemned": Story(
        prepare=partial(_gone, blob="A", owner="call:0"),
        actors={
            "a": partial(give, blob="A", owner="held:owner"),
            "cleaner": lambda world: clean(world, "c", "condemn", "delete"),
        },
        check=check,
        check_end=check_end,
    ),
    "put, release and clean": Story(
        actors={
            "a": partial(give, blob="A", owner="call:a", release=True),
            "cleaner": lambda world: clean(world, "c", "release", "condemn", "delete", "reconcile"),
        },
        check=check,
        check_end=check_end,
    ),
    "two cleaners": Story(
        prepare=partial(_gone, blob="A", owner="call:0"),
        actors={
            "a": partial(give, blob="A", owner="held:owner"),
            "one": lambda world: clean(world, "c1", "condemn", "delete"),
            "two": lambda world: clean(world, "c2", "condemn", "delete"),
        },
        check=check,
        check_end=check_end,
        kills=0,
        minutes=0,
    ),
    "three blobs": Story(
        actors={
            "a": partial(give, blob="A", owner="call:a"),
            "b": partial(give, blob="B", owner="call:b"),
            "c": partial(give, blob="C", owner="call:c", release=True),
        },
        check=check,
        check_end=check_end,
        kills=0,
        minutes=0,
    ),
}


QUICK = {  # the others take seconds each
    "three blobs": STORIES["three blobs"],
    "two put one blob, one is killed": attrs.evolve(STORIES["two put one blob"], minutes=0),
    "two put one blob, a minute passes": attrs.evolve(STORIES["two put one blob"], kills=0),
}
SLOW = {name: story for name, story in STORIES.items() if name not in QUICK}


@pytest.mark.parametrize("story", QUICK.values(), ids=QUICK)
def test_nothing_is_lost_and_no_id_is_of_nothing(story):
    """Whatever the order, whoever is killed or whenever a minute passes."""
    found = explore(story)

    assert [] == found.faults
    assert found.ends


@pytest.mark.real
@pytest.mark.parametrize("story", SLOW.values(), ids=SLOW)
@pytest.mark.timeout(180)
def test_nothing_is_lost_whatever_comes_together(story):
    """Somebody is killed and a minute passes, in whatever order."""
    found = explore(story)

    assert [] == found.faults
    assert found.ends


def _counter(patch):
    """A count that each reference adds to, instead of rows that are counted."""
    add = file_references.add

    def adding(connection, now, upload_id, who):
        add(connection, now, upload_id, who)
        connection.execute(
            "UPDATE provider_file_uploads SET reference_count = reference_count + 1 WHERE id = ?",
            (upload_id,),
        )

    patch.setattr(file_references, "add", adding)


def _object_first(patch):
    """The object goes before anybody has looked whether its row is wanted again."""
    dispose = object_rows.dispose

    def disposing(connection, now, sha256, unlink, *, even_known):
        unlink(sha256)
        return dispose(connection, now, sha256, unlink, even_known=even_known)

    patch.setattr(object_rows, "dispose", disposing)


def _no_fence(patch):
    """Whoever was late finishes all the same."""
    for name in ("_FINISH", "_NOTE_OBJECT"):
        mine = "AND fence = :fence AND upload_status = 'pending'"
        patch.setattr(claims, name, getattr(claims, name).replace(mine, ""))


def _deleted_first(patch):
    """The provider's file is deleted, and then the row is emptied."""
    step = cleanup_steps.SQL["condemn_uploads"]
    kept = attrs.evolve(step, change=step.change[:1])
    patch.setitem(cleanup_steps.SQL, "condemn_uploads", kept)


def _not_looked_at_again(patch):
    """What was found before the transaction is changed in it, whatever happened meanwhile."""
    step = cleanup_steps.SQL["condemn_uploads"]
    look, change = cleanup_steps.look, cleanup_steps.change

    def changing(connection, name, at, found):
        patch.setitem(cleanup_steps.SQL, "condemn_uploads", attrs.evolve(step, condition="true"))
        done = change(connection, name, at, found)
        patch.setitem(cleanup_steps.SQL, "condemn_uploads", step)
        return done

    patch.setattr(cleanup_steps, "look", look)
    patch.setattr(cleanup_steps, "change", changing)


def _late_file_deleted(patch):
    """A late upload's file is queued although somebody has found and noted it."""
    patch.setattr(deletion_queue, "withdraw", lambda *_: None)


BUGS = {
    "a counter instead of rows": (_counter, "two put one blob"),
    "the object before the row": (_object_first, "put what is being condemned"),
    "a lease without a fence": (_no_fence, "two put one blob"),
    "the file before the row": (_deleted_first, "put what is being condemned"),
    "not looked at again": (_not_looked_at_again, "put what is being condemned"),
    "a late file is deleted": (_late_file_deleted, "two put one blob"),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug, monkeypatch):
    """The same search, with one thing wrong, tells which order of steps brings it out; with as little misfortune as that takes."""
    plant, name = BUGS[bug]
    plant(monkeypatch)
    story = STORIES[name]
    calm = attrs.evolve(story, kills=0, minutes=0)

    assert any(explore(each).faults for each in (calm, attrs.evolve(calm, minutes=1), story))
