"""docs/session.svg, which the README shows, has the words that its commands say today."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).resolve().parents[2]
DRAWING = ROOT / "docs" / "session.svg"


@pytest.mark.real
def test_the_drawing_is_of_today():
    """The commands run anew, on a terminal; numbers and ids may differ."""
    command = [sys.executable, ROOT / "scripts" / "record_session.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=55)

    assert (0, "") == (done.returncode, done.stderr)


def test_the_readme_shows_it_and_it_needs_nothing_from_elsewhere():
    text = DRAWING.read_text(encoding="utf-8")

    assert "](docs/session.svg)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert ET.fromstring(text).tag.endswith("svg")  # noqa: S314  # our own file
    assert "http" not in text.replace('xmlns="http://www.w3.org/2000/svg"', "")
