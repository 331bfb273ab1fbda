"""CI measures this tree beside the commit of .ci/baseline: red is what is slower by far in three runs, and nothing less."""

import pytest
from baseline import since
from baseline.records import ROOT
from baseline.since import Shown

SLOW, WELL = Shown(1.4), Shown(1.1)


@pytest.fixture
def measured(monkeypatch):
    def plant(*runs):
        left = iter(runs)
        monkeypatch.setattr(since, "ratios", lambda _name: next(left))

    return plant


@pytest.mark.parametrize(
    ("runs", "code"),
    [
        ([{"chat": WELL}], 0),
        ([{"chat": SLOW}] * 3, 1),
        ([{"chat": SLOW}, {"chat": SLOW}, {"chat": WELL}], 0),
        ([{"chat": SLOW, "debug": WELL}, {"chat": WELL, "debug": SLOW}], 0),
        ([{"chat": Shown(9.0, sure=False)}], 0),
        ([{"chat": Shown(1.3)}], 0),
    ],
    ids=["well", "three times", "twice", "another each time", "by chance", "at the bound"],
)
def test_only_what_is_slow_three_times_is_red(measured, said, runs, code):
    measured(*runs)
    left, out, _ = said("since", "abc")

    assert code == left
    assert len(runs) == sum("beside abc" in line for line in out.splitlines())
    assert (code == 1) == ("slower than 1.3 x in 3 runs: chat" in out)


def test_a_commit_that_is_not_there_ends_with_2(said):
    code, _, err = said("since", "0" * 40)
    assert (2, True) == (code, "is neither a file nor a commit" in err)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("main", "'main' is no commit"),
        ("", "'' is no commit"),
        ("0" * 40, "0 is none of this repository"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_baseline_that_names_no_commit_is_one_line(said, monkeypatch, tmp_path, text, why):
    named = tmp_path / "baseline"
    if text is not None:
        named.write_text(text + "\n", encoding="utf-8")
    monkeypatch.setattr(since, "NAMED", named)
    code, out, err = said("since")

    assert (2, "", 1, True) == (code, out, err.count("\n"), why in err)
    assert ".ci/baseline: commit: " in err
    assert "; allowed: the 40 hexadecimal digits of a commit" in err


def test_ci_does_it():
    assert "scripts/baseline.py since" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
