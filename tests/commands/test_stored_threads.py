"""`exai threads`: stored conversations looked after from the command line, beside a store that is in use."""

import json
from argparse import Namespace

import attrs
import pytest

from exai_trio.commands import stored_threads
from exai_trio.commands.options import parser
from exai_trio.config import Config
from exai_trio.errors import ArgumentError, NotFoundError
from exai_trio.storage.base import Step, Turn
from exai_trio.storage.sqlite.mirrored.outbox_table import SqliteOutbox
from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.system.clock import unix_now

ID = "11111111-2222-4333-8444-555555555555"
OTHER = "11119999-2222-4333-8444-555555555555"


@pytest.fixture
async def home(tmp_path):
    """A home whose daemon has its store open, with two conversations and an expired one."""
    config = attrs.evolve(Config(), home=tmp_path)
    now = unix_now()
    asked = Turn(role="user", text="why\n so?", tool="chat", at=now, extra={"files": ["/a.py"]})
    usage = {"usage": {"input_tokens": 1200, "output_tokens": 7}}
    said = Turn(role="assistant", text="because", tool="chat", model="glm-4.6", at=now, extra=usage)
    async with open_sqlite(config.state / "exai.db") as store:
        await store.append(ID, (asked, said), now, now + 100)
        await store.append(OTHER, (attrs.evolve(asked, at=now + 1),), now, now + 200)
        await store.append("old", (asked,), now - 20, now - 10)
        step = Step(tool="debug", at=now, data={"n": 1})
        await store.add_step(ID, step, now, now + 100)
        yield config, store


async def run(config, said, *words):
    said.out.truncate(0)
    said.out.seek(0)
    code = await stored_threads.run(
        config, said.console(), parser().parse_args(["threads", *words])
    )
    assert code == 0
    return said.out.getvalue()


async def test_conversations_are_listed(home, said):
    """Those that have not expired, one a line: id, turns, model, first question."""
    config, _ = home
    lines = (await run(config, said, "list")).splitlines()
    as_json = json.loads(await run(config, said, "list", "--json"))

    assert ["11111111", "11119999"] == [line.split()[0] for line in lines]
    assert "2 turns" in lines[0]
    assert "glm-4.6" in lines[0]
    assert "why so?" in lines[0]
    assert {ID, OTHER} == {each["id"] for each in as_json}


async def test_one_is_read_as_text_and_as_json(home, said):
    """By the beginning of its id: who said what, with files and tokens; the export has all that is stored."""
    config, _ = home
    shown = await run(config, said, "show", "11111111")
    exported = json.loads(await run(config, said, "export", ID))

    assert "because" in shown
    assert "[file /a.py]" in shown
    assert "1,200 + 7 tokens" in shown
    assert ["user", "assistant"] == [turn["role"] for turn in exported["turns"]]
    assert exported["turns"][1]["usage"]["input_tokens"] == 1200


async def test_names_find_and_are_unique(home, said):
    """A name stands for the id everywhere; another one cannot have it; '' takes it away."""
    config, _ = home
    await run(config, said, "name", ID, "the bug")
    by_name = json.loads(await run(config, said, "export", "the bug"))
    with pytest.raises(ArgumentError, match="the bug"):
        await run(config, said, "name", OTHER, "the bug")
    await run(config, said, "name", "the bug", "")
    with pytest.raises(NotFoundError):
        await run(config, said, "show", "the bug")

    assert ID == by_name["id"]


async def test_a_fork_goes_on_apart(home, said):
    """The copy has all turns and steps under a new id; what is added to one is not in the other."""
    config, store = home
    new_id = (await run(config, said, "fork", ID)).strip()
    now = unix_now()
    more = Turn(role="user", text="more", tool="chat", at=now)
    await store.append(new_id, (more,), now, now + 100)
    copy, original = await store.load(new_id, now), await store.load(ID, now)

    assert copy.turns[:-1] == original.turns
    assert len(await store.steps(new_id, now)) == 1


async def test_deleted_is_gone_for_the_running_daemon(home, said):
    """The daemon that has the store open does not find it any more."""
    config, store = home
    await run(config, said, "delete", ID)

    assert await store.load(ID, unix_now()) is None
    assert await store.load(OTHER, unix_now()) is not None


async def test_other_machines_hear_of_every_change(home, said):
    """What is told first is told whole: a conversation of before Supabase comes there with its name, until its own end."""
    config, store = home
    shared = attrs.evolve(config, storage_backend="supabase")
    await run(shared, said, "name", ID, "the bug")
    new_id = (await run(shared, said, "fork", OTHER)).strip()
    await run(shared, said, "delete", OTHER)
    told = await SqliteOutbox(store).batch(10)
    ends = {json.loads(entry.body)["expires_at"] for entry in told if entry.key == ID}
    ended = (await store.load(ID, unix_now())).expires_at

    assert [
        *((ID, kind) for kind in ("messages", "messages", "step", "name")),
        (new_id, "messages"),
        (OTHER, "delete"),
    ] == [(entry.key, entry.kind) for entry in told]
    assert {ended} == ends
    assert await store.load(OTHER, unix_now()) is None


async def test_where_nothing_is_shared_nothing_is_told(home, said):
    """No outbox fills up that nobody sends."""
    config, store = home
    await run(config, said, "name", ID, "the bug")
    await run(config, said, "delete", ID)

    assert () == await SqliteOutbox(store).batch(10)


@pytest.mark.parametrize(("wanted", "fault"), [("1111", ArgumentError), ("nobody", NotFoundError), ("old", NotFoundError)])  # fmt: skip
async def test_what_is_unclear_is_refused(home, said, wanted, fault):
    """A beginning of several ids, an unknown one, an expired one: nothing is done."""
    config, store = home
    with pytest.raises(fault):
        await run(config, said, "delete", wanted)

    assert await store.load(ID, unix_now()) is not None


async def test_without_a_store_there_is_none_afterwards(tmp_path, said):
    """Looking does not make one."""
    config = attrs.evolve(Config(), home=tmp_path / "nothing")
    code = await stored_threads.run(config, said.console(), Namespace(action="list", json=False))

    assert (0, "") == (code, said.out.getvalue())
    assert not (tmp_path / "nothing").exists()


async def test_without_a_store_a_program_reads_an_empty_list(tmp_path, said):
    """--json is JSON, whatever there is."""
    config = attrs.evolve(Config(), home=tmp_path / "nothing")
    code = await stored_threads.run(config, said.console(), Namespace(action="list", json=True))

    assert (0, []) == (code, json.loads(said.out.getvalue()))
