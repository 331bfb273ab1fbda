"""The relay benchmark runs, and says what it measured. How fast anything is, is not tested here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench_relay.py"


@pytest.mark.real
def test_quick_echo_prints_ratios_against_the_floor(tmp_path: Path) -> None:
    """A quick run of one measurement succeeds, prints a ratio for each of its rows, and writes the same as JSON."""
    found = tmp_path / "rows.json"
    command = [sys.executable, str(SCRIPT), "--quick", "--only", "echo", "--json", str(found)]

    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)

    assert (0, "measuring echo …\n") == (ran.returncode, ran.stderr)
    rows = json.loads(found.read_text(encoding="utf-8"))
    assert ["p50", "p99"] == [row["what"][-3:] for row in rows]
    for row in rows:
        line = next(line for line in ran.stdout.splitlines() if line.startswith(row["what"]))
        assert f" {row['ratio']:.2f} " in line
        assert line.rstrip().endswith(row["verdict"])
