"""`scripts/review`: the commands of docs/review.md are run, the rest is printed, and the list itself has its form."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIST = """\
# Review

## Before

- It is so: `true`
- It is right (by eye)

## After

- The range is one: `git log RANGE`
"""


def _git(where, *words):
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", *who, *words], cwd=where, check=True)


@pytest.fixture
def repository(tmp_path):
    """Two commits, this program and a list."""
    for folder in ("scripts", "docs"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / "scripts" / "review", tmp_path / "scripts")
    _git(tmp_path, "init", "-q")
    _git(tmp_path, "commit", "-qm", "none", "--allow-empty")
    (tmp_path / "docs" / "review.md").write_text(LIST, encoding="utf-8")
    _git(tmp_path, "add", "docs")
    _git(tmp_path, "commit", "-qm", "list")
    return tmp_path


def _review(where, *argv):
    """Exit code, stdout and stderr."""
    command = [sys.executable, where / "scripts" / "review", *argv]
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_commands_are_run_and_the_rest_is_printed(repository):
    code, said, complained = _review(repository, "HEAD~1..HEAD")
    assert (0, "") == (code, complained)
    assert said.startswith("ok   It is so\nok   The range is one\n")
    assert "1 files are changed by HEAD~1..HEAD:\n    docs/review.md\n" in said
    assert "Before, by eye:\n    [ ] It is right\n" in said


def test_a_command_that_fails_is_red_and_the_others_are_run(repository):
    text = LIST.replace("`true`", "`git nothing`")
    (repository / "docs" / "review.md").write_text(text, encoding="utf-8")
    code, said, complained = _review(repository, "HEAD~1..HEAD")
    assert (1, "failed: It is so\n") == (code, complained)
    assert "red  It is so\n" in said
    assert "ok   The range is one\n" in said


@pytest.mark.parametrize(
    ("text", "argv", "said"),
    [
        (LIST, ("nowhere..HEAD",), "nowhere..HEAD: there is no such range of commits\n"),
        (LIST.replace(" (by eye)", ""), ("HEAD~1..HEAD",), "docs/review.md:6: a line ends with"),
        (LIST, ("HEAD", "HEAD"), "    scripts/review [RANGE]"),
    ],
)
def test_what_cannot_be_meant_is_exit_two(repository, text, argv, said):
    (repository / "docs" / "review.md").write_text(text, encoding="utf-8")
    code, _, complained = _review(repository, *argv)
    assert (2, True) == (code, complained.startswith(said))


def test_our_own_list_has_three_looks_and_commands_that_exist():
    text = (ROOT / "docs" / "review.md").read_text(encoding="utf-8")
    assert text.count("\n## ") == 3
    for program in {word.split()[0] for word in text.split("`")[1::2]} - {"RANGE"}:
        named = program.partition("[")[0]
        assert (
            "/" not in named or named.startswith((".venv/", "origin/")) or (ROOT / named).exists()
        )


def test_agents_have_one_page():
    text = (ROOT / "AGENTS.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    for heading in ("traced to its cause", "A plan names", "What stops it"):
        assert heading in text
