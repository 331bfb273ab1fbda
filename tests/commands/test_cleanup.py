"""`exai cleanup`: shows or does what is due, stage by stage, whether or not a daemon runs."""

import json
from io import StringIO
from types import SimpleNamespace

import pytest

from exai_trio.commands import clean_up
from exai_trio.commands.console import Console
from exai_trio.config import Config
from exai_trio.storage.contracts.provider_uploads import Content, Offer
from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.storage.sqlite.uploads.upload_store import SqliteUploads


async def _run(config, **asked):
    console = Console(out=StringIO(), err=StringIO())
    chosen = {"stage": None, "dry_run": False, "json": True} | asked
    code = await clean_up.run(config, console, SimpleNamespace(**chosen))
    return code, console.out.getvalue(), console.err.getvalue()


@pytest.fixture
async def config(tmp_path):
    """A home with one upload that nobody refers to, of a provider that is not configured."""
    config = Config(home=tmp_path, cleanup_grace_hours=0.0)
    offer = Offer(
        content=Content(provider="kimi", account="a", purpose="p", sha256="5a"),
        filename="a",
        size=3,
        method="direct",
    )
    async with open_sqlite(config.state / "exai.db") as store:
        uploads = SqliteUploads(store)
        claim = await uploads.claim_upload(offer, "call:1", "one")
        await uploads.finish_upload(claim, "f1", "a")
        await uploads.end_owner("call:1")
    return config


async def test_a_dry_run_says_what_would_be_done_and_does_nothing(config):
    code, said, _ = await _run(config, dry_run=True)
    again = await _run(config, dry_run=True)

    report = json.loads(said)
    assert (0, True, 1) == (code, report["dry_run"], report["stages"]["condemn"]["changed"])
    assert "kimi:f1" == report["stages"]["condemn"]["changes"][0]["subject"]
    assert said == again[1]


async def test_one_stage_is_done_alone(config):
    await _run(config, stage="release")
    before = json.loads((await _run(config, dry_run=True))[1])
    _, said, _ = await _run(config, stage="condemn", json=False)
    after = json.loads((await _run(config, dry_run=True))[1])

    assert "condemn: changed 1" in said
    assert (1, 0) == tuple(each["stages"]["condemn"]["changed"] for each in (before, after))


async def test_where_nothing_is_stored_nothing_is_made(tmp_path):
    code, _, note = await _run(Config(home=tmp_path / "none"))

    assert (0, False) == (code, (tmp_path / "none").exists())
    assert "nothing is stored" in note


async def test_one_process_at_a_time(config):
    from exai_trio.storage.sqlite.uploads.cleanup_store import SqliteCleanup

    async with open_sqlite(config.state / "exai.db") as store:
        await SqliteCleanup(store).take("cleanup", "another", 60.0)
    code, _, note = await _run(config)

    assert 1 == code
    assert "another process cleans up" in note
