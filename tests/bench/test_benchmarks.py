"""The benchmarks run, and say what they measured. How fast anything is, is not tested here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.mark.real
@pytest.mark.parametrize(
    ("script", "name", "ends"),
    [
        ("bench_relay.py", "echo", ["p50", "p99"]),
        ("bench_tools.py", "history", ["assembled, p50", "window, p50"]),
        (
            "bench_storage.py",
            "results",
            [
                f"{size} MiB, {way}: whole, median (floor: in one message)" if end is None else end
                for size in (4, 16)
                for way in ("none", "gzip")
                for end in (None, "worst ping of another session", "its p99")
            ],
        ),
        ("bench_shell.py", "help", ["a pipe, p50", "a terminal, p50"]),
    ],
)
def test_a_quick_run_prints_ratios_against_the_floor(
    tmp_path: Path, script: str, name: str, ends: list[str]
) -> None:
    """A quick run of one measurement succeeds, prints a ratio for each of its rows, and writes the same as JSON."""
    found = tmp_path / "rows.json"
    command = [sys.executable, str(SCRIPTS / script), "--quick", "--only", name, "--json", str(found)]  # fmt: skip

    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)

    assert (0, f"measuring {name} …\n") == (ran.returncode, ran.stderr)
    rows = json.loads(found.read_text(encoding="utf-8"))
    assert len(ends) == len(rows)
    for row, end in zip(rows, ends, strict=True):
        assert row["what"].endswith(end)
        line = next(line for line in ran.stdout.splitlines() if line.startswith(row["what"]))
        assert f" {row['ratio']:.2f} " in line
        assert line.rstrip().endswith(row["verdict"])
