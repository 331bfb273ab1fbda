"""`scripts/adr`: decisions in one row and one form, with an index and with references that hold."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.real

ROOT = Path(__file__).resolve().parents[2]
ADR = "ADR"  # apart from its numbers: the program under test rewrites references here too

DECISION = """\
# {title}

Context: it was asked.

Decision: it is so. There is more to it.

Consequences: {consequences}

Alternatives: not so.
"""


@pytest.fixture
def repository(tmp_path):
    """Three decisions with gaps between their numbers, and a text that refers to them."""
    for number, name, title, consequences in (
        (3, "first", f"{3}. The first", f"as {ADR} {40} says."),
        (40, "second", f"{40:04}: The second", "none."),
        (41, "third", "The third", f"see [it]({40:04}-second.md)."),
    ):
        _write(
            tmp_path / f"docs/adr/{number:04}-{name}.md",
            DECISION.format(title=title, consequences=consequences),
        )
    _write(
        tmp_path / "about.md",
        f"{ADR}s {3}, {40} and {41}; docs/adr/{41:04}; {ADR} {40:04}, 41 of it.\n",
    )
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    return tmp_path


def _write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _adr(where, *argv):
    """Exit code and what was said."""
    command = [sys.executable, ROOT / "scripts" / "adr", *argv]
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def _texts(repository):
    return {path.name: path.read_text("utf-8") for path in repository.rglob("*.md")}


def test_numbers_forms_references_and_the_index(repository):
    assert (0, "") == _adr(repository)
    texts = _texts(repository)
    assert {"0001-first.md", "0002-second.md", "0003-third.md", "README.md", "about.md"} == set(
        texts
    )
    assert texts["0002-second.md"].startswith(
        "# 2. The second\n\nStatus: in force\n\n## Context\n\nIt was asked.\n"
    )
    assert f"As {ADR} {2} says." in texts["0001-first.md"]
    assert f"[it]({2:04}-second.md)" in texts["0003-third.md"]
    assert f"{ADR}s 1, 2 and 3; docs/adr/{3:04}; {ADR} 2, 41 of it.\n" == texts["about.md"]
    assert f"| 3 | [The third]({3:04}-third.md) | It is so | in force |\n" in texts["README.md"]


def test_a_second_run_changes_nothing(repository):
    _adr(repository)
    before = _texts(repository)
    assert (0, "") == _adr(repository, "--check")
    assert (0, "") == _adr(repository)
    assert before == _texts(repository)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        (f"docs/adr/{1:04}-first.md", "## Alternatives", "## Others"),
        (f"docs/adr/{1:04}-first.md", "Status: in force", "Status: perhaps"),
        ("docs/adr/README.md", "| 3 |", "| 4 |"),
        ("about.md", f"adr/{3:04}", f"adr/{9:04}"),
    ],
)
def test_a_form_an_index_and_a_reference_that_are_wrong_are_told(repository, name, old, new):
    _adr(repository)
    text = (repository / name).read_text("utf-8")
    _write(repository / name, text.replace(old, new))
    code, said = _adr(repository, "--check")
    assert code == 1
    assert name in said


def test_a_gap_is_told_and_a_number_given_twice_changes_nothing(repository):
    code, said = _adr(repository, "--check")
    assert code == 1
    assert "run scripts/adr" in said
    _write(repository / f"docs/adr/{40:04}-other.md", DECISION)
    before = _texts(repository)
    code, said = _adr(repository)
    both = f"docs/adr/{40:04}-other.md, docs/adr/{40:04}-second.md: number 40; allowed:"
    assert (2, 1, True) == (code, said.count("\n"), said.startswith(both))
    assert before == _texts(repository)


def test_a_file_that_is_called_otherwise_is_told(repository):
    _adr(repository)
    _write(repository / "docs/adr/12-more.md", DECISION)
    code, said = _adr(repository, "check")
    assert (1, True) == (code, "docs/adr/12-more.md: is no name of a decision" in said)


def _superseded(repository, old, new):
    for name, line in ((f"{3:04}-first.md", old), (f"{40:04}-second.md", new)):
        path = repository / "docs" / "adr" / name
        title, _, rest = path.read_text("utf-8").partition("\n")
        _write(path, f"{title}\n\n{line}\n{rest}")


def test_a_decision_that_is_superseded_and_the_one_that_does_it_name_each_other(repository):
    _superseded(repository, f"Status: superseded by {ADR} {40}.", f"Supersedes: {ADR} {3}.")
    assert (0, "") == _adr(repository)
    assert f"superseded by {ADR} {2} |" in _texts(repository)["README.md"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (f"Status: superseded by {ADR} {40}.", "", f"which does not say `Supersedes: {ADR} 1`"),
        ("", f"Supersedes: {ADR} {3}.", f"not say `Status: superseded by {ADR} 2`"),
    ],
)
def test_one_that_is_not_named_back_is_told(repository, old, new, said):
    _superseded(repository, old, new)
    code, complained = _adr(repository, "check")
    assert code == 1
    assert said in complained


def test_the_index_alone_is_written_with_the_numbers_as_they_are(repository):
    before = _texts(repository)
    assert (0, "") == _adr(repository, "index")
    after = _texts(repository)
    assert f"| 40 | [The second]({40:04}-second.md) |" in after.pop("README.md").replace(
        f"{40:04}. The second", "The second"
    )
    assert before == after


def test_every_decision_has_the_form_and_every_reference_is_to_one():
    """What `scripts/adr` can mend may wait for its next run; what it cannot is wrong now."""
    _, said = _adr(ROOT, "--check")
    assert [] == [line for line in said.splitlines() if not line.endswith("run scripts/adr")]


def test_the_decisions_are_one_row_with_its_index():
    assert (0, "") == _adr(ROOT, "--check")
