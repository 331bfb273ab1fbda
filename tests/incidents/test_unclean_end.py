"""A daemon that was killed is told of in its successor's log, and is no incident."""

import pytest

from exai_trio.config import Config
from exai_trio.daemon.process.home_lock import own_home


@pytest.mark.parametrize("killed", [True, False])
def test_who_finds_the_mark_of_a_daemon_that_did_not_leave_says_so(tmp_path, killed):
    config = Config(home=tmp_path)
    with own_home(config) as home:
        home.note_pid()
        mark = home._pid_file.read_bytes()
    if killed:
        home._pid_file.write_bytes(mark)

    with own_home(config) as home:
        assert killed is not home.was_left
        home.note_pid()
        assert home.was_left
