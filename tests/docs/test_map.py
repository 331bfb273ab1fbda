"""`scripts/map`: docs/map.md is what the modules say of themselves."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _map(*argv, root=ROOT):
    """Exit code and what was said."""
    done = subprocess.run(
        [sys.executable, root / "scripts" / "map", *argv],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def small(tmp_path):
    """A package of a few modules, and this script beside it."""
    for path, docstring in {
        "exai_trio/__init__.py": "The package.",
        "exai_trio/clock.py": "Time. It goes by.",
        "exai_trio/room/__init__.py": "A room.",
        "exai_trio/room/clock.py": "Space between <a> and </a>. Pure.",
    }.items():
        module = tmp_path / path
        module.parent.mkdir(exist_ok=True)
        module.write_text(f'"""{docstring}"""\n', encoding="utf-8")
    for folder in ("scripts", "docs"):
        (tmp_path / folder).mkdir()
    script = (ROOT / "scripts" / "map").read_text(encoding="utf-8")
    (tmp_path / "scripts" / "map").write_text(script, encoding="utf-8")
    return tmp_path


def test_the_map_is_up_to_date():
    """docs/map.md is written by `scripts/map` and by nobody else."""
    assert (0, "") == _map("--check")


def test_a_line_for_each_module_by_rooms(small):
    assert (0, "") == _map(root=small)
    drawn = (small / "docs" / "map.md").read_text(encoding="utf-8")
    assert "## exai_trio\n\nThe package.\n\n- [clock](../exai_trio/clock.py): Time.\n" in drawn
    assert "## exai_trio/room\n\nA room.\n\n- [clock](../exai_trio/room/clock.py): Space" in drawn
    assert "Space between &lt;a> and &lt;/a>.\n" in drawn


def test_names_that_occur_twice_and_lines_that_need_more(small):
    assert (0, "clock: exai_trio/clock.py, exai_trio/room/clock.py\n") == _map(
        "--names", root=small
    )
    assert (0, "exai_trio/clock.py: Time. It goes by.\n") == _map("--long", root=small)


def test_a_changed_first_line_is_noticed(small):
    _map(root=small)
    (small / "exai_trio" / "clock.py").write_text('"""Something else."""\n', encoding="utf-8")
    assert (1, "run scripts/map\n") == _map("--check", root=small)
