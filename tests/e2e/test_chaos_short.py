"""The chaos program runs, finds what it should, and leaves nothing behind, also when it or its like is interrupted. Long runs: `scripts/prove`."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]  # each program has up to 120 s

SCRIPTS = Path(__file__).parents[2] / "scripts"


def chaos(place: Path, *words: str) -> subprocess.Popen[str]:
    return program("chaos", place, *words)


def program(name: str, place: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, SCRIPTS / f"{name}.py", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(place)},
    )


def test_kills_lose_no_call(tmp_path):
    """Every call is answered once, none runs again after its outcome was journalled, and no file or process stays."""
    found, place = tmp_path / "report.json", tmp_path / "place"
    place.mkdir()

    with chaos(place, "kill-daemon=2", "kill-acks=1", "--forked", "--report", str(found)) as ran:
        said, _ = ran.communicate(timeout=120)

    assert 0 == ran.returncode, said
    report = json.loads(found.read_text(encoding="utf-8"))["scenarios"]
    assert ["held", "held"] == [one["verdict"] for one in report]
    assert all(one["accepted"] == one["answered"] > 0 for one in report)
    assert [] == list(place.iterdir())


def test_kills_lose_no_file(tmp_path):
    """Each file is at the provider once and known, whenever the daemon or a cleaning up was killed."""
    place = tmp_path / "place"
    place.mkdir()

    with chaos(place, "upload-kill=1", "cleanup-kill=1") as ran:
        said, _ = ran.communicate(timeout=120)

    assert 0 == ran.returncode, said
    assert [] == list(place.iterdir())


@pytest.mark.parametrize(
    ("name", "words", "told"),
    [
        ("chaos", ("kill-daemon=1000",), "kill -9"),
        ("chaos", ("kill-daemon=1000", "--forked"), "kill -9"),
        ("stress", ("steady", "--minutes", "10"), "interrupted"),
        ("fuzz", ("--frames", "10000000"), '"sent"'),
    ],
)
def test_an_interrupted_run_leaves_nothing(tmp_path, name, words, told):
    """SIGTERM in the middle of a run: what was found is told, and every child and file is gone."""
    with program(name, tmp_path, *words) as ran:
        while not list(tmp_path.glob("*/exai/state/exai.db")):  # a daemon is about to run
            assert ran.poll() is None
            time.sleep(0.05)
        ran.send_signal(signal.SIGTERM)
        said, _ = ran.communicate(timeout=120)

    assert 130 == ran.returncode, said
    assert told in said
    assert [] == list(tmp_path.iterdir())
    assert [] == _processes_of(tmp_path)


def _processes_of(place: Path) -> list[str]:
    own = f"TMPDIR={place}\0".encode()
    return [path.parent.name for path in Path("/proc").glob("[0-9]*/environ") if own in _read(path)]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_an_unknown_scenario_is_wrong_usage(tmp_path):
    """It is refused by name before anything is started."""
    with chaos(tmp_path, "no-such") as ran:
        said, _ = ran.communicate(timeout=60)

    assert 2 == ran.returncode
    assert "no-such" in said
