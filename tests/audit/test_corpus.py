"""`scripts/audit` finds what is planted in tests/audit/corpus, and nothing in what only looks like it."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from auditing.run import audit  # noqa: E402

CORPUS = Path(__file__).parent / "corpus"
PLANTED = re.compile(r"\s*# planted: ([\w -]+)$", re.MULTILINE)
FILES = sorted(CORPUS.glob("*.py"))


def _found(file):
    """Line and rule of all findings; the marks are comments, and would count as reasons."""
    text = PLANTED.sub("", file.read_text(encoding="utf-8"))
    findings, _, broken = audit([(file.name, text)])
    assert [] == broken
    return {(finding.line, finding.rule) for finding in findings}


def _planted(file):
    return {
        (number, rule)
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        for match in PLANTED.finditer(line)
        for rule in match[1].split()
    }


def test_there_are_sixty_and_more_of_every_rule():
    planted = [rule for file in FILES for _, rule in _planted(file)]
    assert len(planted) >= 60
    assert len(set(planted)) >= 20


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_all_that_is_planted_is_found_and_no_more(file):
    assert _planted(file) == _found(file)
