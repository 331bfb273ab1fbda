"""The id of a home, which stands in its lock file."""

import os

from exai_trio.config import Config
from exai_trio.daemon.process.home_lock import own_home
from exai_trio.system.home_id import HOME_LOCK, kept_id, read_id


def test_a_home_keeps_its_id(tmp_path):
    """Over daemons; another home has another."""
    ids = []
    for name in ("a", "a", "b"):
        with own_home(Config(home=tmp_path / name)) as home:
            home.note_pid()
            ids.append(home.id)

    assert ids[0] == ids[1] == read_id(tmp_path / "a" / "state" / HOME_LOCK)
    assert ids[0] != ids[2]
    assert "" not in ids


def test_a_home_that_nobody_has_had_has_none(tmp_path):
    """Nor one whose lock cannot be written."""
    assert "" == read_id(tmp_path / HOME_LOCK)

    (tmp_path / HOME_LOCK).touch()
    descriptor = os.open(tmp_path / HOME_LOCK, os.O_RDONLY)
    try:
        assert "" == kept_id(descriptor)
    finally:
        os.close(descriptor)
