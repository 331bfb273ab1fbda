"""docs/reference/cli.md and the man page say what the command line takes."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from exai_trio.cli import MODULES
from exai_trio.commands.options import parser

ROOT = Path(__file__).resolve().parents[2]


def test_the_generated_pages_are_current():
    """They are written by `scripts/manual.py` and by nobody else."""
    command = [sys.executable, ROOT / "scripts" / "manual.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (0, "") == (done.returncode, done.stderr)


@pytest.mark.parametrize("page", ["docs/reference/cli.md", "exai_trio/commands/usage/exai.1"])
def test_every_command_is_there(page):
    """As one types it."""
    text = (ROOT / page).read_text(encoding="utf-8")

    assert [] == [name for name in MODULES if f"exai {name}" not in text]


def test_every_command_has_an_example():
    """Help ends with something to type."""
    (commands,) = (
        action.choices for action in parser()._actions if isinstance(action.choices, dict)
    )

    assert [] == [name for name, found in commands.items() if not found.examples]


@pytest.mark.real
def test_the_man_page_is_one():
    """As far as whoever shows it can tell."""
    man = shutil.which("mandoc") or shutil.which("groff")
    if man is None:
        pytest.skip("neither mandoc nor groff is installed")
    options = ["-T", "lint"] if man.endswith("mandoc") else ["-man", "-ww", "-z", "-K", "utf8"]
    done = subprocess.run(
        [man, *options, ROOT / "exai_trio/commands/usage/exai.1"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "error" not in (done.stdout + done.stderr).lower()
