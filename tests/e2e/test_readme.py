"""The calls that README shows, run against a real daemon with its simulator: they say what README says they do."""

import re
import shlex
from pathlib import Path

import pytest

pytestmark = pytest.mark.real

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^    \$ exai (.+)\n((?:    [^$\n].*\n)+)", README, re.MULTILINE)


@pytest.mark.parametrize(("words", "answer"), SHOWN, ids=[words for words, _ in SHOWN])
def test_what_a_call_says(daemon, words, answer):
    """… stands for the rest of a line."""
    _, out, err = daemon.place.run(*shlex.split(words))
    said = out + err
    assert [] == [line for line in _lines(answer) if line not in said]


def _lines(answer):
    return [line.strip().split("…")[0].strip() for line in answer.splitlines()]
