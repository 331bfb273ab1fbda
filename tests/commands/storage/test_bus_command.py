"""`exai bus`: what is kept, seen from a shell."""

import json

import attrs
import pytest
import trio
from hosted.shared_machine import open_shared_machine

from exai_trio.bus.message_bus import MessageBus
from exai_trio.bus.payload_files import path_of
from exai_trio.commands.options import parser
from exai_trio.commands.storage import results_elsewhere
from exai_trio.commands.storage.bus_command import give, of_everybody, tell, the_one, wanted_of
from exai_trio.config import Config
from exai_trio.errors import (
    ArgumentError,
    NotFoundError,
    PayloadDamagedError,
    StorageError,
)
from exai_trio.storage.sqlite.payload_rows import SqlitePayloads
from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.system.clock import unix_now

TEXT = "ä long line\n" * 100_000


@pytest.fixture
async def home(tmp_path):
    """A home whose daemon has its store open: two results, one of them another's, and one whose time is over."""
    config = attrs.evolve(Config(), home=tmp_path)
    async with open_sqlite(config.state / "exai.db") as store:
        bus = MessageBus(SqlitePayloads(store), tmp_path / "bus", unix_now)
        size = len(TEXT.encode())
        for who in ("owner", "jwt:ann"):
            await bus.put(TEXT, size, principal=who, session="s", request="r")
        bus.now = lambda: unix_now() - 49 * 3600
        await bus.put(TEXT, size, principal="owner", session="s", request="r")
        yield config


def words(*typed):
    return parser().parse_args(["bus", *typed])


async def test_what_can_be_asked_for_is_listed(home, said):
    kept = await of_everybody(home)
    tell(kept, said.console(), as_json=True)
    listed = json.loads(said.out.getvalue())
    said.out.truncate(0)
    tell(kept, said.console(), as_json=False)

    assert ["owner", "jwt:ann"] == [one["principal"] for one in listed]
    assert {len(TEXT.encode())} == {one["size"] for one in listed}
    assert all(row.transaction_id in said.out.getvalue() for row in kept)


async def test_one_is_written_to_a_file(home, tmp_path):
    """By the beginning of its id; a file that is there is not overwritten."""
    kept = await of_everybody(home)
    place = tmp_path / "answer.txt"
    asked = words("get", kept[0].transaction_id[:12], "-o", str(place))
    row = the_one(kept, asked.transaction)
    assert 0 == give(home, row, asked, None)
    with pytest.raises(StorageError, match="exists"):
        give(home, row, asked, None)

    assert TEXT == place.read_text()
    assert 0o600 == place.stat().st_mode & 0o777


async def test_what_is_meant_must_be_clear(home):
    kept = await of_everybody(home)

    with pytest.raises(NotFoundError):
        the_one(kept, "txn_zz")
    with pytest.raises(ArgumentError):
        the_one(kept, "txn_")


async def test_a_damaged_one_is_said(home, tmp_path):
    row = (await of_everybody(home))[0]
    path = path_of(tmp_path / "bus", row.transaction_id)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    asked = words("get", row.transaction_id, "-o", str(tmp_path / "out"))

    with pytest.raises(PayloadDamagedError):
        give(home, row, asked, None)


@pytest.fixture
async def second(gateway, tmp_path):
    """A machine that has nothing yet, and a result of another one that both may ask for."""
    async with open_shared_machine(tmp_path / "one", gateway) as one:
        size = len(TEXT.encode())
        for who in ("owner", "jwt:ann"):
            await one.bus.put(TEXT, size, principal=who, session="s", request="r")
        await one.wait_sent()
    hosted = {"storage_backend": "supabase", "supabase_url": gateway.url, "supabase_key": gateway.key}  # fmt: skip
    return attrs.evolve(Config(), home=tmp_path / "two", **hosted)


@pytest.mark.real
async def test_one_of_another_machine_is_listed_and_fetched(second, said, tmp_path):
    """The owner's alone; from then on it is here."""
    there = await results_elsewhere.listed(second)
    tell((), said.console(), as_json=True, elsewhere=there)
    row = await trio.to_thread.run_sync(wanted_of, second, (), there[0].transaction_id[:12])
    asked = words("get", row.transaction_id, "-o", str(tmp_path / "out"))

    assert [("owner", "at Supabase")] == [
        (one["principal"], one["place"]) for one in json.loads(said.out.getvalue())
    ]
    assert 0 == give(second, row, asked, None)
    assert TEXT == (tmp_path / "out").read_text()
    assert [row.transaction_id] == [one.transaction_id for one in await of_everybody(second)]


async def test_a_home_without_a_store_has_none(tmp_path, said):
    kept = await of_everybody(attrs.evolve(Config(), home=tmp_path))
    tell(kept, said.console(), as_json=False)

    assert "no large results" in said.err.getvalue()
