"""`exai incidents` and `exai alerts` on a home in which a daemon has seen something."""

import json

import pytest
import trio

from exai_trio.cli import main
from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.storage.sqlite.watching.alert_rows import SqliteAlerts
from exai_trio.storage.sqlite.watching.incident_rows import SqliteIncidents
from exai_trio.storage.watching.alert_records import FiringAlert
from exai_trio.storage.watching.incident_records import Occurrence

SEEN = Occurrence(
    error_hash="1-abcdef0123456789abcdef01", kind="bug", severity="high", error_type="KeyError", message="…",
    version="0.9.0", context={"trace": "a.py:1 in f", "log": []}, first_at=1e9, last_at=1e9,
)  # fmt: skip


async def fill(path):
    async with open_sqlite(path) as store:
        await SqliteIncidents(store).note([SEEN])
        fired = FiringAlert(
            name="disk", subject="", severity="high", text="little is free", since=1e9
        )
        await SqliteAlerts(store).move([fired], [])


@pytest.fixture
def exai(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("EXAI_HOME", str(tmp_path))

    def run(*words):
        code = main(list(words))
        return (code, *capsys.readouterr())

    return run


def test_an_incident_is_listed_shown_resolved_and_opened_again(exai, tmp_path):
    trio.run(fill, tmp_path / "state" / "exai.db")

    assert "abcdef012345  bug  open  waiting  1 times" in exai("incidents")[1]
    assert "a.py:1 in f" in exai("incidents", "show", "abc")[1]
    assert "is to be investigated" in exai("incidents", "investigate", "abc")[1]
    assert (0, "abcdef012345 is resolved\n", "") == exai(
        "incidents", "resolve", "abc", "--notes", "done"
    )
    assert (0, "", "exai: no incident is open\n") == exai("incidents")
    (told,) = json.loads(exai("incidents", "--json", "list", "--all")[1])
    assert (True, "done") == (told["resolved"], told["resolution_notes"])
    assert "is open again" in exai("incidents", "reopen", "abc")[1]
    assert (1, True) == (
        exai("incidents", "show", "zz")[0],
        "`exai incidents`" in exai("incidents", "show", "zz")[2],
    )


def test_an_alert_is_listed_and_silenced(exai, tmp_path):
    trio.run(fill, tmp_path / "state" / "exai.db")

    assert exai("alerts")[1].split()[:2] == ["disk", "high"]
    assert exai("alerts", "silence", "disk", "--for", "2h")[1].startswith("disk is silenced until")
    assert json.loads(exai("alerts", "--json")[1])[0]["silenced"]
    assert (1, True) == (
        exai("alerts", "silence", "dsk")[0],
        "reconnect_storm" in exai("alerts", "silence", "dsk")[2],
    )
    assert 2 == exai("alerts", "silence", "disk", "--for", "2 weeks")[0]


def test_without_a_database_it_says_so(exai):
    assert "no daemon has served this home" in exai("alerts")[2]
