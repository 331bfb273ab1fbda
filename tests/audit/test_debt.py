"""`scripts/debt`: the register is sorted by priority, and what is wrong in it is one line with file and key."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.real

ROOT = Path(__file__).resolve().parents[2]
ENTRY = """\
[[debt]]
id = "{id}"
title = "{id} is owed"
description = "It is."
impact = "{impact}"
effort = "{effort}"
risk = {risk}
category = "structure"
created = 2026-01-01
reviewed = 2026-01-01
owner = "maintainers"
files = ["exai_trio/a.py"]
hours = 2
"""
GOOD = ENTRY.format(id="D1", impact="low", effort="small", risk=2)


def _debt(where, *argv):
    """Exit code, stdout and stderr."""
    command = [sys.executable, ROOT / "scripts" / "debt", *argv]
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def _register(repository, text):
    (repository / "docs" / "debt.toml").write_text(text, encoding="utf-8")


@pytest.fixture
def repository(tmp_path):
    """Ten modules, a register of one entry, and a commit within ninety days of its review."""
    for folder in ("docs", "exai_trio"):
        (tmp_path / folder).mkdir()
    for name in "abcdefghij":
        (tmp_path / "exai_trio" / f"{name}.py").write_text("A = 1\n", encoding="utf-8")
    _register(tmp_path, GOOD)
    _commit(tmp_path, "2026-03-30T12:00:00Z")
    return tmp_path


def _commit(where, at):
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    environ = {**os.environ, "GIT_COMMITTER_DATE": at}
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "all", "--allow-empty")):
        subprocess.run(["git", *who, *words], cwd=where, check=True, env=environ)


def test_our_own_register_is_in_order():
    assert (0, "", "") == _debt(ROOT, "check")


def test_entries_are_listed_by_impact_times_risk_over_effort(repository):
    grave = ENTRY.format(id="D2", impact="critical", effort="large", risk=5)
    _register(repository, GOOD + grave)
    code, said, _ = _debt(repository, "list")
    assert code == 0
    assert said.splitlines()[0].split()[:2] == ["12.50", "D2"]
    assert said.splitlines()[1].split()[:2] == ["2.00", "D1"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'impact = "low"',
            'impact = "huge"',
            "D1: impact: 'huge' is not allowed; allowed: low, medium, high, critical",
        ),
        ('effort = "small"', "effort = 1", "D1: effort: 1 is not allowed; allowed: small, medium,"),
        (
            "risk = 2",
            "risk = 11",
            "D1: risk: 11 is not allowed; allowed: a whole number from 1 to 10",
        ),
        ("risk = 2", "risk = true", "D1: risk: True is not allowed"),
        ("hours = 2", "hours = nan", "D1: hours: nan is not allowed; allowed: a number from 0"),
        ("hours = 2", "", "D1: hours: is missing; allowed: a number from 0"),
        (
            "hours = 2",
            "hours = 2\ncolour = 1",
            "D1: unknown key 'colour'; allowed: category, created",
        ),
        ("= 2026-01-01", "= 2026-01-01T00:00:00", "D1: created: datetime.date"),
        (
            "reviewed = 2026-01-01",
            "reviewed = 2999-01-01",
            "reviewed: 2999-01-01 is not allowed; allowed:",
        ),
        (
            'files = ["exai_trio/a.py"]',
            'files = "exai_trio/a.py"',
            "D1: files: 'exai_trio/a.py' is not allowed; allowed: a list",
        ),
        (
            'files = ["exai_trio/a.py"]',
            "files = [1]",
            "D1: files: 1: 1 is not allowed; allowed: a text",
        ),
        ("[[debt]]", "[debt]", "is not allowed; allowed: a list"),
        ("[[debt]]", "[debt", "cannot be read"),
    ],
)
def test_an_entry_that_cannot_be_meant_is_one_line_and_exit_two(repository, old, new, said):
    _register(repository, GOOD.replace(old, new))
    code, out, complained = _debt(repository, "check")
    assert (2, "", 1) == (code, out, complained.count("\n"))
    assert complained.startswith("docs/debt.toml: ")
    assert said in complained


def test_a_register_that_is_no_text_is_exit_two(repository):
    (repository / "docs" / "debt.toml").write_bytes(b"\xff")
    code, _, complained = _debt(repository, "list")
    assert (2, 1) == (code, complained.count("\n"))


def test_an_id_given_twice_is_exit_two(repository):
    _register(repository, GOOD + GOOD)
    assert _debt(repository, "check")[0] == 2
    assert _debt(repository)[0] == 2


def test_what_is_in_order_is_green(repository):
    assert (0, "", "") == _debt(repository, "check")


def test_a_file_that_does_not_exist_is_red(repository):
    _register(repository, GOOD.replace("a.py", "z.py"))
    code, _, complained = _debt(repository, "check")
    assert (1, True) == (code, "D1: files: exai_trio/z.py does not exist" in complained)


def test_a_review_of_over_ninety_days_is_red(repository):
    _commit(repository, "2026-04-03T12:00:00Z")
    code, _, complained = _debt(repository, "check")
    assert (1, True) == (code, "D1: reviewed: 2026-01-01 is over 90 days" in complained)


def test_a_todo_names_its_entry(repository):
    module = repository / "exai_trio" / "b.py"
    module.write_text("A = 1  # TODO(D1) less\n", encoding="utf-8")
    assert _debt(repository, "check")[0] == 0
    for comment in ("# TODO less", "# FIXME(D9) less"):
        module.write_text(f"A = 1  {comment}\n", encoding="utf-8")
        code, _, complained = _debt(repository, "check")
        assert (1, True) == (code, "exai_trio/b.py:1:" in complained)


def test_more_than_a_fifth_of_the_modules_indebted_is_red(repository):
    two = '"exai_trio/a.py", "exai_trio/b.py"'
    _register(repository, GOOD.replace('"exai_trio/a.py"', two))
    assert _debt(repository, "check")[0] == 0
    _register(repository, GOOD.replace('"exai_trio/a.py"', f'{two}, "exai_trio/c.py"'))
    code, _, complained = _debt(repository, "check")
    assert (1, True) == (code, "3 of 10 modules are indebted" in complained)
