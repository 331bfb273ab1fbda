"""Uploads, releases and cleaning up in every order, with a kill at every step: no id of nothing, nothing lost, nothing unknown."""

from functools import partial

import pytest
from interleavings import Story, explore, recovered
from stepped import clean, finish, give

ROWS = """
    SELECT u.sha256, u.provider_file_id, u.file_id, u.upload_status, u.reference_count,
        (SELECT count(*) FROM file_references r WHERE r.upload = u.id AND r.ended_at IS NULL)
    FROM provider_file_uploads u
"""


def check(world):
    """What is wrong with this state, or ""."""
    if world.broken:
        return world.broken[0]
    for sha256, file_id, object_id, status, count, rows in world.rows(ROWS):
        file = world.shelf.get(file_id)
        if status == "completed" and (file is None or file.sha256 != sha256):
            return f"{sha256} has the id {file_id}, under which the provider has {file}"
        if object_id and sha256 not in world.objects:
            return f"{sha256} has an object that is not there"
        if count != rows:
            return f"{sha256} counts {count} references of {rows}"
    return ""


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


@pytest.mark.parametrize("name", STORIES)
def test_nothing_is_lost_and_no_id_is_of_nothing(name):
    """Whatever the order, whoever is killed and whenever a minute passes."""
    found = explore(STORIES[name])

    assert [] == found.faults
    assert found.ends
