"""The hidden tool that shows conversations to the shim."""

import json

import pytest

from exai_trio.errors import ArgumentError, NotFoundError
from exai_trio.storage.base import Turn
from exai_trio.tools.registry import BUILT_IN, Registry


def turn(role, text, at):
    return Turn(role=role, text=text, tool="chat", model="glm-4.6", at=at)


async def test_conversations_are_listed_read_and_completed(bench):
    """A title of one line, a transcript with roles, ids by their beginning."""
    now = bench.services.now()
    turns = (turn("user", "first\n question", now), turn("assistant", "ä", now))
    await bench.services.conversations.append("abc-1", turns, now, now + 99)
    listed = json.loads((await bench.call("threads", operation="list")).text)
    read = json.loads((await bench.call("threads", operation="read", value="abc-1")).text)
    ids = json.loads(
        (
            await bench.call(
                "threads", operation="complete", argument="continuation_id", value="AB"
            )
        ).text
    )
    nothing = json.loads((await bench.call("threads", operation="complete", argument="x")).text)

    assert ["first question"] == [one["title"] for one in listed["threads"]]
    assert "## user (chat" in read["content"]
    assert "## assistant (chat, glm-4.6" in read["content"]
    assert "ä" in read["content"]
    assert (["abc-1"], []) == (ids["values"], nothing["values"])


async def ask(bench, **arguments):
    return json.loads((await bench.call("threads", **arguments)).text)


async def completed(bench, value):
    asked = {"operation": "complete", "argument": "continuation_id", "value": value}
    return (await ask(bench, **asked))["values"]


async def named(bench):
    """A chat of one exchange that is called "The Bug"."""
    said = await bench.say("why so?", model="glm-4.6")
    id_ = said["continuation_offer"]["continuation_id"]
    await bench.store.name(id_, "The Bug", bench.clock())
    return id_


async def test_a_name_stands_for_its_conversation(bench):
    """It is the title, completes in place of the id, and reads and goes on with the conversation as the id does."""
    id_ = await named(bench)
    (listed,) = (await ask(bench, operation="list"))["threads"]
    read = await ask(bench, operation="read", value="The Bug")
    said = await bench.say("go on", continuation_id="The Bug")
    step = await bench.step("debug", 1, 3, continuation_id="The Bug")

    assert (id_, "The Bug", "why so?") == (
        listed["continuation_id"],
        listed["title"],
        listed["opening"],
    )
    assert [["The Bug"], ["The Bug"], [id_], []] == [
        await completed(bench, value) for value in ("", "the b", id_[:6], "zz")
    ]
    assert id_ == read["continuation_id"]
    assert id_ == said["continuation_offer"]["continuation_id"] == step["continuation_id"]
    assert "why so?" in bench.gateway.requests[-1].messages[1].text


async def test_only_a_whole_name_goes_on_with_a_conversation(bench):
    """The beginning of an id or a name that an agent made up finds nothing; nor does the name of one that has expired."""
    id_ = await named(bench)
    for wanted in (id_[:8], "The", "the bug"):
        with pytest.raises(NotFoundError):
            await bench.say("go on", continuation_id=wanted)
    bench.clock.now += 24 * 3600
    with pytest.raises(NotFoundError):
        await bench.say("go on", continuation_id="The Bug")

    assert 1 == len(bench.gateway.requests)


async def test_an_investigation_that_goes_on_can_be_found(bench):
    """It has steps and no turns yet: listed by the tool's own words, read with what was noted so far."""
    step = await bench.step("debug", 1, 3, step="It leaks.")
    (listed,) = (await ask(bench, operation="list"))["threads"]
    read = await ask(bench, operation="read", value=listed["continuation_id"])

    assert step["continuation_id"] == listed["continuation_id"]
    assert "It leaks." in read["content"]


async def test_models_are_completed(bench):
    """The names of configured providers' models that begin so."""
    told = json.loads(
        (await bench.call("threads", operation="complete", argument="model", value="glm")).text
    )

    assert told["values"]
    assert all(name.startswith("glm") for name in told["values"])


async def test_what_is_not_there_is_refused(bench):
    """An unknown conversation, and an unknown operation."""
    with pytest.raises(NotFoundError):
        await bench.call("threads", operation="read", value="zzz")
    with pytest.raises(ArgumentError):
        await bench.call("threads", operation="delete")


def test_it_is_listed_nowhere_and_cannot_be_disabled():
    """No profile shows it; without it the shim has no resources."""
    registry = Registry(
        tools=BUILT_IN,
        profile="full",
        enabled=frozenset({"threads"}),
        disabled=frozenset({"threads"}),
    )

    assert "threads" not in registry.names()
    assert "threads" not in [tool.name for tool in registry.visible()]
    assert "threads" == registry.get("threads").name


async def test_a_long_conversation_is_cut_to_what_clients_can_read(bench):
    """A message of 10 MiB breaks some; a letter may be four bytes, and none is cut in two."""
    now = bench.services.now()
    turns = (turn("user", "𝔸" * 2_500_000, now),)
    await bench.services.conversations.append("long-1", turns, now, now + 99)
    content = (await ask(bench, operation="read", value="long-1"))["content"]

    assert 3_999_990 < len(content.encode()) < 4_000_010
    assert {"𝔸", "\n"} == set(content[-100:])
