"""What the daemon writes: health file, call log, pid file, and the lock on its home."""

from contextlib import suppress

import msgspec
import pytest

from exai_trio.config import Config
from exai_trio.daemon.process.home_lock import own_home
from exai_trio.errors import ServiceUnavailableError
from exai_trio.observability.line_file import LineFile

LINE = {"t": 1.0, "name": "chat", "sess": "s" * 60}


async def test_the_health_file_has_the_fields_that_monitors_read(house, tmp_path):
    """It is written whole, readable by its owner only."""
    async with house(home=tmp_path) as daemon:
        await daemon.parts.files.write_health()
    path = tmp_path / "logs" / "ws_daemon.health.json"

    assert {
        "t", "pid", "host", "port", "started_at", "uptime_human", "sessions", "global_capacity",
        "global_inflight", "tool_count", "status", "version",
    } == set(msgspec.json.decode(path.read_bytes()))  # fmt: skip
    assert 0o600 == path.stat().st_mode & 0o777
    assert ["ws_daemon.health.json"] == [file.name for file in path.parent.iterdir()]


def test_the_call_log_is_lines_of_json_and_is_rotated(tmp_path):
    """Over its size the old file moves aside."""
    log = LineFile(tmp_path / "calls.jsonl", rotate_bytes=100)
    for _ in range(3):
        log.add(LINE)
        log.flush()
    log.flush()

    assert {"calls.jsonl", "calls.jsonl.1"} == {file.name for file in tmp_path.iterdir()}
    assert "chat" == msgspec.json.decode((tmp_path / "calls.jsonl").read_bytes())["name"]


def test_a_call_log_that_cannot_be_written_keeps_its_lines(tmp_path):
    """They are written when the disk takes them again."""
    log = LineFile(tmp_path / "file" / "calls.jsonl")
    (tmp_path / "file").write_text("in the way")
    log.add(LINE)
    with pytest.raises(OSError, match="file"):
        log.flush()
    (tmp_path / "file").unlink()
    log.flush()

    assert 1 == len((tmp_path / "file" / "calls.jsonl").read_text().splitlines())


def test_lines_that_the_disk_takes_in_part_are_in_the_call_log_once(tmp_path, no_file_over):
    """A piece of them is cut off again, and all are written when there is room."""
    log = LineFile(tmp_path / "calls.jsonl")
    log.add(LINE)
    log.flush()
    for number in range(1, 101):
        log.add({**LINE, "t": float(number)})
    with no_file_over(1000):
        for _ in range(2):
            with pytest.raises(OSError, match="space"):
                log.flush()
        before = log.path.read_bytes().splitlines()
    log.flush()
    lines = [msgspec.json.decode(line) for line in log.path.read_bytes().splitlines()]

    assert 1 == len(before)
    assert [1.0, *range(1, 101)] == [line["t"] for line in lines]


def test_a_second_daemon_cannot_have_the_same_home(tmp_path):
    """It is told whose home it is, and can have it once the first has gone."""
    config = Config(home=tmp_path)
    second = own_home(config)
    with own_home(config), pytest.raises(ServiceUnavailableError, match="another daemon"):
        second.__enter__()
    with own_home(config):
        pass


def test_a_home_that_cannot_be_written_is_taken_once_it_can_be(tmp_path):
    """A file in the way keeps no daemon from starting; without it the home is locked, and has the pid file."""
    config = Config(home=tmp_path / "home")
    config.home.write_text("in the way")
    with own_home(config) as home:
        before = home.fault
        with pytest.raises(OSError, match="EXAI_HOME"):
            home.look()
        config.home.unlink()
        home.look()
        with pytest.raises(ServiceUnavailableError, match="another daemon"):
            own_home(config).__enter__()
        there = (config.logs / "ws_daemon.pid").exists()

    assert f"EXAI_HOME {config.home} cannot be written: " in before
    assert home.fault is None
    assert there


def test_the_pid_file_is_there_while_the_daemon_runs(tmp_path):
    """Afterwards it is gone, also after a fault."""
    path = tmp_path / "logs" / "ws_daemon.pid"
    with suppress(OSError), own_home(Config(home=tmp_path)) as home:
        home.note_pid()
        there = path.read_text()
        raise OSError("disk")

    assert there.strip().isdigit()
    assert not path.exists()


def test_lines_that_do_not_fit_are_not_even_made(tmp_path):
    """What is over the bound is counted, and nothing is spent on it."""
    log = LineFile(tmp_path / "calls.jsonl", most=1)
    made = []

    def make():
        made.append(1)
        return LINE

    log.add_made(make)
    log.add_made(make)

    assert (1, 1, 1) == (len(made), len(log.waiting), log.dropped)
