"""docs/learn/first-hour.md as somebody types it: every command that asks ends well, and what it is said to go on with is there."""

import re
import shlex
from pathlib import Path

import pytest

pytestmark = pytest.mark.real

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "learn" / "first-hour.md").read_text(encoding="utf-8")
ASKING = PAGE.partition("## 2.")[2].partition("## 5.")[0]
TYPED = re.findall(r"^    exai (.+)$", ASKING, re.MULTILINE)
SHOWN_ID = re.compile(r"\b[0-9a-f]{8}\b")


@pytest.fixture
def place(daemon):
    """The reader's folder: it holds the file that the page asks about."""
    file = daemon.place.home / "exai_trio" / "errors.py"
    file.parent.mkdir(exist_ok=True)
    file.write_text("class Fault(Exception): ...\n", encoding="utf-8")
    return daemon.place


def test_the_commands_of_the_page(place):
    said, newest = "", "?"
    for typed in TYPED:
        words = SHOWN_ID.sub(newest, typed.replace("$PWD", str(place.home)))
        code, said, err = place.run(*shlex.split(words, comments=True))
        assert code == 0, (words, err)
        newest = [newest, *SHOWN_ID.findall(said)][-1]
    assert len(TYPED) > 5
    assert "next_call" in said
    assert "And its test?" in place.run("threads", "show", "naming")[1]
