"""EXAI_HOME as it may be found: a name that is too long, pipes in the place of files, directories that others may look into."""

import logging
import os
import stat
import subprocess
import sys

import pytest

from exai_trio.commands.checking import checks
from exai_trio.commands.checking.findings import Daemon, Seen
from exai_trio.commands.client import Unreachable
from exai_trio.config import Config
from exai_trio.daemon.process.home_lock import own_home
from exai_trio.observability.logs import open_logs
from exai_trio.observability.tail import newest_lines
from exai_trio.settings.load import load
from exai_trio.system.private_files import append_private, loose, open_at_once, tighten

FILES = [
    "logs/ws_daemon.log", "logs/ws_daemon.metrics.jsonl", "logs/toolcalls.jsonl", "logs/ws_daemon.pid",
    "logs/ws_daemon.health.json", "state/daemon.lock", "state/exai.db",
]  # fmt: skip


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "home"
    for folder in (home, home / "logs", home / "state"):
        folder.mkdir()
        folder.chmod(0o755)
    return home


def environ(home):
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home.parent),
        "ENV_FILE": os.devnull,
        "EXAI_HOME": str(home),
        "EXAI_SIMULATE": "true",
        "EXAI_WS_PORT": "0",
        "HEALTH_CHECK_PORT": "0",
        "MONITORING_PORT": "0",
        "INCIDENTS_PORT": "0",
    }


@pytest.mark.parametrize(
    "name",
    ["x" * 600, "x" * 256, "é" * 128, "a/" * 1501, f"{'y' * 200}/" * 16],
    ids=["600", "256", "256 bytes", "short names", "long names"],
)
@pytest.mark.parametrize("variable", ["EXAI_HOME", "EXAI_PROVIDERS_FILE"])
def test_a_path_that_no_system_takes_is_said_at_the_start(name, variable):
    """It is a fault of the setting, in one line that names it."""
    (fault,) = load({}, {variable: f"/srv/{name}"}).faults

    assert variable == fault.variable
    assert "255 bytes" in fault.allowed
    assert len(str(fault)) < 500


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127, f"{'y' * 99}/" * 6], ids=str.__len__)
def test_a_long_path_that_can_be_is_taken(name):
    """Six hundred characters in names that are short enough are no fault."""
    assert () == load({}, {"EXAI_HOME": f"/srv/{name}"}).faults


@pytest.mark.real
def test_the_daemon_does_not_start_on_a_name_without_end(tmp_path):
    """Exit code 2 and one line, not a daemon that refuses every call."""
    ended = subprocess.run(
        [sys.executable, "-m", "exai_trio", "serve"],
        env=environ(tmp_path / ("x" * 600)),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert 2 == ended.returncode
    assert "EXAI_HOME" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.real
def test_pipes_in_the_place_of_files_hold_up_nothing(home):
    """With a pipe for every file that it writes the daemon starts and ends, and says that it has no log."""
    for name in FILES:
        os.mkfifo(home / name)
    with subprocess.Popen(
        [sys.executable, "-m", "exai_trio", "serve"],
        env=environ(home),
        cwd=home.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as daemon:
        try:
            line = daemon.stdout.readline()
        finally:
            daemon.terminate()
            _, said = daemon.communicate()

    assert line.startswith("exai serves")
    assert "is a pipe that nobody reads" in said
    assert 0 == daemon.returncode


@pytest.mark.real
def test_the_daemon_tightens_its_directories_and_says_so(home):
    """State is for its owner alone, logs also for the group; the log names both."""
    (home / "logs").chmod(0o777)
    config = Config(home=home)
    with own_home(config) as held, open_logs(config, "ws_daemon"):
        logging.getLogger("exai.test").info("x")

    assert held.tightened
    assert (0o700, 0o750) == (mode(home / "state"), mode(home / "logs"))
    assert "could look into" in (home / "logs" / "ws_daemon.log").read_text()
    with own_home(config) as again:
        assert not again.tightened


@pytest.mark.parametrize("bits", [0o000, 0o001, 0o070, 0o007, 0o077, 0o027])
@pytest.mark.parametrize("before", [0o700, 0o750, 0o755, 0o777, 0o711])
def test_what_is_taken_away_is_what_was_asked(tmp_path, before, bits):
    """The owner keeps all; nothing is added; a second time there is nothing to do."""
    tmp_path.chmod(before)

    assert bool(before & bits) == loose(tmp_path, bits) == tighten(tmp_path, bits)
    assert before & ~bits == mode(tmp_path)
    assert not tighten(tmp_path, bits)


def test_what_is_no_directory_of_ours_is_left(tmp_path):
    """A file, or nothing, is not loose."""
    (tmp_path / "file").touch(mode=0o666)

    assert not tighten(tmp_path / "file")
    assert not tighten(tmp_path / "nothing")
    if os.geteuid() == 0:
        os.chown(tmp_path, 12345, 12345)
        tmp_path.chmod(0o777)
        assert not tighten(tmp_path)
        assert 0o777 == mode(tmp_path)


def test_reading_and_writing_a_pipe_ends_at_once(tmp_path):
    """Nobody is at the other end."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="No such device"):
        append_private(tmp_path / "pipe", b"x", rotate_bytes=10)

    assert [] == newest_lines(tmp_path / "pipe", 5)
    with open_at_once(tmp_path / "pipe") as file:
        assert b"" == file.read()


def found(home):
    absent = Daemon(reached=False, fault=Unreachable("nobody"))
    loaded = load({}, {"EXAI_HOME": str(home)})
    return {
        one.what: one.remedy
        for one in checks.home(Seen(loaded=loaded, daemon=absent, port_taken=False))
        if one.state != "ok"
    }


def test_the_doctor_names_what_is_loose_and_what_is_a_pipe(home):
    """Each with the command that mends it."""
    (home / "state").chmod(0o750)
    os.mkfifo(home / "logs" / "ws_daemon.log")

    assert {
        f"others may look into {home}": f"chmod 700 {home}",
        f"others may look into {home}/state": f"chmod 700 {home}/state",
        f"others may look into {home}/logs": f"chmod o-rwx,g-w {home}/logs",
        f"{home}/logs/ws_daemon.log is a pipe, no file": f"rm {home}/logs/ws_daemon.log",
    } == found(home)
    for folder in (home, home / "state"):
        folder.chmod(0o700)
    (home / "logs").chmod(0o750)
    (home / "logs" / "ws_daemon.log").unlink()
    assert {} == found(home)
