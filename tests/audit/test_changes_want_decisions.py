"""`scripts/adr changes`: what has changed since .ci/baseline has a decision, or a commit that says why none is needed."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.real

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    "pyproject.toml": '[project]\ndependencies = ["trio"]\n',
    "exai_trio/config.py": '"""Settings."""\nPORT = 1\n',
    "exai_trio/settings/table.py": "TABLE = 1\n",
    "exai_trio/wire/messages.py": "MESSAGES = 1\n",
    "exai_trio/storage/sqlite/file/schema.py": "SCHEMA = 1\n",
    "docs/boundaries.toml": 'layers = ["wire"]\n',
}
CHANGED = {
    "pyproject.toml": ("dependencies", '[project]\ndependencies = ["trio", "attrs"]\n'),
    "exai_trio/config.py": ("settings", "PORT = 2\n"),
    "exai_trio/settings/table.py": ("settings", "TABLE = 2\n"),
    "exai_trio/wire/messages.py": ("messages", "MESSAGES = 2\n"),
    "exai_trio/storage/sqlite/file/schema.py": ("schema", "SCHEMA = 2\n"),
    "docs/boundaries.toml": ("boundaries", 'layers = ["mcp"]\n'),
    "exai_trio/settings/groups/new_settings.py": ("settings", "ROWS = 1\n"),
    "exai_trio/wire/terminal_messages.py": ("messages", "MESSAGES = 1\n"),
    "exai_trio/storage/supabase/sql/0002_more.sql": ("schema", "CREATE TABLE more ();\n"),
}


def _git(where, *words):
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", *who, *words], cwd=where, check=True)


def _write(repository, path, text):
    (repository / path).parent.mkdir(parents=True, exist_ok=True)
    (repository / path).write_text(text, encoding="utf-8")


def _commit(where, message):
    _git(where, "add", "-A")
    _git(where, "commit", "-qm", message)


def _adr(where, *argv):
    """Exit code and what was said."""
    command = [sys.executable, ROOT / "scripts" / "adr", *argv]
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.fixture
def repository(tmp_path):
    """All that is governed, and a baseline."""
    _git(tmp_path, "init", "-q")
    for path, text in FILES.items():
        _write(tmp_path, path, text)
    _commit(tmp_path, "all")
    assert (0, "") == _adr(tmp_path, "baseline")
    return tmp_path


def test_without_a_change_nothing_is_wanted(repository):
    assert (0, "") == _adr(repository, "changes")


@pytest.mark.parametrize("path", CHANGED)
def test_a_change_wants_a_decision_whether_committed_or_not(repository, path):
    area, text = CHANGED[path]
    _write(repository, path, text)
    wanted = f"{path}: {area} changed since"
    code, said = _adr(repository, "changes")
    assert (1, True) == (code, said.startswith(wanted))
    _commit(repository, "changed")
    code, said = _adr(repository, "changes")
    assert (1, True) == (code, said.startswith(wanted))
    _write(repository, "docs/adr/0001-new.md", f"# 1. New\n\nChanges: {area}.\n")
    assert (0, "") == _adr(repository, "changes")


def test_a_decision_on_something_else_is_none(repository):
    _write(repository, "exai_trio/wire/messages.py", "MESSAGES = 2\n")
    _write(repository, "docs/adr/0001-new.md", "# 1. New\n\nChanges: settings\n")
    assert _adr(repository, "changes")[0] == 1


def test_each_commit_may_say_why_it_needs_none(repository):
    _write(repository, "exai_trio/config.py", "PORT = 2\n")
    _commit(repository, "Another port\n\nADR: none, because nobody has used it")
    assert (0, "") == _adr(repository, "changes")
    _write(repository, "exai_trio/config.py", "PORT = 3\n")
    _commit(repository, "Another port\n\nADR: none")
    assert _adr(repository, "changes")[0] == 1


def test_comments_and_other_parts_of_the_project_file_change_nothing(repository):
    _write(repository, "exai_trio/config.py", '"""All settings."""\nPORT = 1  # the first\n')
    _write(repository, "pyproject.toml", FILES["pyproject.toml"] + '[tool.x]\ny = "z"\n')
    assert (0, "") == _adr(repository, "changes")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("main\n", "'main' is no commit"),
        ("0" * 40 + "\n", "0 is none of this repository"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_baseline_that_names_no_commit_is_told(repository, text, said):
    (repository / ".ci" / "baseline").unlink()
    if text:
        _write(repository, ".ci/baseline", text)
    code, complained = _adr(repository, "changes")
    assert (2, True, 1) == (code, said in complained, complained.count("\n"))
    assert complained.startswith(".ci/baseline: commit: ")
    assert "; allowed: the 40 hexadecimal digits of a commit" in complained


def test_a_baseline_that_cannot_be_named_is_not_written(repository):
    before = (repository / ".ci" / "baseline").read_text("utf-8")
    assert (1, "nowhere: there is no such commit\n") == _adr(repository, "baseline", "nowhere")
    assert before == (repository / ".ci" / "baseline").read_text("utf-8")
    assert _adr(repository, "wrong")[0] == 2


def test_an_area_that_does_not_exist_is_told(repository):
    _write(repository, "docs/adr/0001-new.md", "# 1. New\n\nChanges: colours\n")
    code, said = _adr(repository, "changes")
    assert (1, True) == (code, "'colours' is none of dependencies, settings" in said)


def test_a_file_that_cannot_be_read_is_one_line_and_exit_two(repository):
    _write(repository, "exai_trio/config.py", "def f(:\n")
    code, said = _adr(repository, "changes")
    assert (2, 1) == (code, said.count("\n"))
    assert "config.py" in said


def test_a_file_that_is_new_wants_a_decision_before_it_is_added(repository):
    (repository / "docs" / "boundaries.toml").unlink()
    _commit(repository, "gone")
    _adr(repository, "baseline")
    _write(repository, "docs/boundaries.toml", FILES["docs/boundaries.toml"])
    assert _adr(repository, "changes")[0] == 1
