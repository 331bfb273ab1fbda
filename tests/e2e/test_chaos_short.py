"""The chaos and fuzz programs run, find what they should, and leave nothing behind. Long runs are not made here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.real

SCRIPTS = Path(__file__).parents[2] / "scripts"


def test_kills_and_a_rolling_restart_lose_no_call(tmp_path):
    """Two cycles of each: every call is answered once, none is carried out more than twice, and no directory stays."""
    scenarios = ["kill-daemon", "kill-acks", "rolling", "descriptors"]
    found = tmp_path / "report.json"
    ran = subprocess.run(
        [sys.executable, SCRIPTS / "chaos.py", *scenarios, "--cycles", "2", "--report", found],
        capture_output=True,
        text=True,
        check=False,
        timeout=55,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)},
    )

    report = json.loads(found.read_text(encoding="utf-8"))["scenarios"]
    assert 0 == ran.returncode, ran.stdout + ran.stderr
    assert dict.fromkeys(scenarios, "held") == {one["name"]: one["verdict"] for one in report}
    assert all(one["accepted"] == one["answered"] > 0 for one in report)
    assert [found] == list(tmp_path.iterdir())


def test_an_unknown_scenario_is_wrong_usage():
    """It is refused by name before anything is started."""
    ran = subprocess.run(
        [sys.executable, SCRIPTS / "chaos.py", "no-such"],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )

    assert 2 == ran.returncode
    assert "no-such" in ran.stderr
