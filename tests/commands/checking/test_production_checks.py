"""`exai doctor --production`."""

import os
import resource

import pytest

from exai_trio.commands.checking import production_checks as checks
from exai_trio.commands.checking.findings import Daemon, Seen
from exai_trio.commands.storage.last_backup import last_backup, note_backup
from exai_trio.settings.load import load

DAY_S = 86_400
SOUND = {
    "EXAI_ALERT_WEBHOOK": "https://chat.example/hook",
    "EXAI_WS_TOKEN": "a-token-of-the-team-0",
    "EXAI_ALLOWED_ROOTS": "/srv/code",
    "MAX_CONNECTIONS": "10",
}


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """Of which a backup was made."""
    note_backup(tmp_path / "state", tmp_path / "exai.tar.gz")
    monkeypatch.setitem(SOUND, "EXAI_HOME", str(tmp_path))
    return tmp_path


def seen(**environ: str) -> Seen:
    return Seen(loaded=load({}, environ), daemon=Daemon(reached=False), port_taken=False)


def found(seen: Seen) -> list:
    return [finding for check in checks.PRODUCTION for finding in check(seen)]


def test_what_is_closed_has_nothing_to_mend():
    """And each thing that was looked at is said."""
    findings = found(seen(**SOUND))

    assert {"ok"} == {finding.state for finding in findings}
    assert len(checks.PRODUCTION) - 1 == len(findings)


@pytest.mark.parametrize(
    ("change", "words", "remedy"),
    [
        ({"EXAI_WS_TOKEN": ""}, "no token", "exai config set EXAI_WS_TOKEN"),
        ({"EXAI_ALLOWED_ROOTS": ""}, "EXAI_ALLOWED_ROOTS is not set", "EXAI_ALLOWED_ROOTS"),
        ({"MAX_CONNECTIONS": "100000"}, "files may be open", "ulimit"),
        ({"EXAI_DURABILITY": "off"}, "is lost", "process"),
        ({"EXAI_DRAIN_S": "1"}, "are cut", "EXAI_DRAIN_S"),
        ({"EXAI_ALERT_WEBHOOK": ""}, "told to nobody", "EXAI_ALERT_WEBHOOK"),
        ({"EXAI_HOME": "/nowhere"}, "no backup", "exai storage backup"),
        ({"ENVIRONMENT": "development"}, "development", "ENVIRONMENT=production"),
    ],
)
def test_what_is_left_open_is_named_with_its_remedy(monkeypatch, change, words, remedy):
    """One finding each, and no other."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    (finding,) = [one for one in found(seen(**SOUND | change)) if one.state != "ok"]

    assert words in finding.what
    assert remedy in finding.remedy


@pytest.mark.parametrize(
    "own", [{"JWT_SECRET_KEY": "k" * 32}, {"EXAI_WS_TOKEN_FILE": "/run/secrets/token"}]
)
def test_other_credentials_count(own):
    """JWT, or a file with the token."""
    states = {one.state for one in checks.token(seen(**SOUND | {"EXAI_WS_TOKEN": ""} | own))}

    assert {"ok"} == states


def test_a_backup_grows_old(home):
    """It is told how old; in PostgreSQL it is made where the database is."""
    note = home / "state" / "last_backup"
    written = last_backup(home / "state").at
    os.utime(note, (written - 9 * DAY_S,) * 2)
    (old,) = checks.backup(seen(**SOUND))
    hosted = {"STORAGE_BACKEND": "postgres", "DATABASE_URL": "postgresql:///exai"}
    (elsewhere,) = checks.backup(seen(**SOUND | hosted))

    assert ("warn", "the last backup is 9 days old") == (old.state, old.what)
    assert "ok" == elsewhere.state


def test_a_backup_that_cannot_be_looked_for_is_told(home):
    """And the other findings are told, too."""
    (home / "state").rename(home / "elsewhere")
    (home / "state").symlink_to("/" + 300 * "x")
    (finding,) = checks.backup(seen(**SOUND))

    assert ("warn", True) == (finding.state, "is not known" in finding.what)
