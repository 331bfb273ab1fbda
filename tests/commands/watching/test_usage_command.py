"""`exai usage` adds up what the daemon has kept, by what is asked for."""

import json
import time

import pytest
import trio

from exai_trio.cli import main
from exai_trio.commands.usage.building import _USAGE_KEYS
from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.storage.sqlite.watching.metric_history_rows import SqliteHistory
from exai_trio.storage.watching.metric_history import Used
from exai_trio.storage.watching.usage_sums import KEYS


def used(days_ago, **more):
    hour = int((time.time() - days_ago * 86_400) // 3600 * 3600)
    facts = {
        "principal": "owner",
        "project": "/p",
        "tool": "chat",
        "model": "glm-4.6",
        "currency": "USD",
    }
    return Used(hour=hour, **facts | more)


ROWS = [
    used(0, calls=3, failures=1, input_tokens=30, output_tokens=6, cost=0.5),
    used(2, calls=2, input_tokens=20, output_tokens=4, cost=0.25),
    used(40, calls=9),
    used(0, tool="version", model="", currency="", calls=7),
]


async def fill(path):
    async with open_sqlite(path) as store:
        await SqliteHistory(store).add_usage(ROWS)


@pytest.fixture
def said(tmp_path, monkeypatch, capsys):
    trio.run(fill, tmp_path / "state" / "exai.db")
    monkeypatch.setenv("EXAI_HOME", str(tmp_path))

    def run(*words):
        code = main(["usage", *words])
        return (code, *capsys.readouterr())

    return run


def test_usage_is_added_up(said):
    """By model and tool of the last 30 days, if nothing is said; what is not known is a dash."""
    code, out, err = said()
    _, told, _ = said("--by", "tool", "--since", "1h", "--json")

    assert (0, "") == (code, err)
    assert [["-", "version", "7", "0", "-", "-", "-", "-", "-"], ["glm-4.6", "chat", "5", "1", "50", "-", "10", "-", "0.7500", "USD"]] == [line.split() for line in out.splitlines()]  # fmt: skip
    rows = {row["tool"]: row for row in json.loads(told)["rows"]}
    assert (3, 30, None) == tuple(
        rows["chat"][name] for name in ("calls", "input_tokens", "cached_tokens")
    )


def test_what_it_is_added_up_by_is_said_once():
    """The command line knows the keys without loading a store."""
    assert set(KEYS) == _USAGE_KEYS


def test_a_key_that_is_none_is_refused(said):
    """It is said which there are."""
    code, _, err = said("--by", "colour")

    assert (2, True) == (code, "principal" in err)
