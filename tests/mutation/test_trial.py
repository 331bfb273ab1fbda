"""A mutant is judged in a process of its own: noticed, survived, or ended by its limits."""

import time
from contextlib import suppress
from functools import partial
from itertools import count

import mutants
import pytest
from mutation import trial
from mutation.trial import started

pytestmark = pytest.mark.real

MIB = 2**20


def _for_ever():
    while True:
        pass


def _failing():
    raise ValueError("no judge")


def _fill_one(folder):
    """Try again whatever the system says."""
    with (folder / "file").open("wb", buffering=0) as file:
        while True:
            with suppress(OSError):
                file.write(bytes(MIB))


def _fill_many(folder):
    for number in count():
        (folder / str(number)).write_bytes(bytes(MIB))


def _verdict(judge, limit_s=60.0):
    trial = started(None, judge, limit_s)
    while (verdict := trial.verdict()) is None:
        time.sleep(0.01)
    return verdict


@pytest.mark.parametrize(("judge", "expected"), [(lambda: 0, "survived"), (lambda: 1, "killed")])
def test_what_the_judge_says(judge, expected):
    assert expected == _verdict(judge)


def test_a_loop_without_an_end_is_noticed_by_its_processor_time():
    assert "too slow" == _verdict(_for_ever, limit_s=1.0)


def test_a_judge_that_fails_is_no_verdict():
    with pytest.raises(RuntimeError, match="whoever judges has failed"):
        _verdict(_failing)


def test_a_file_ends_at_its_bound(tmp_path, monkeypatch):
    """Whoever goes on trying is noticed by the processor time."""
    monkeypatch.setattr(trial, "_FILE", 8 * MIB)

    assert "too slow" == _verdict(partial(_fill_one, tmp_path), limit_s=1.0)
    assert [8 * MIB] == [file.stat().st_size for file in tmp_path.iterdir()]


def test_files_without_an_end_are_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(trial, "_WRITTEN", 8 * MIB)

    assert "too much written" == _verdict(partial(_fill_many, tmp_path))
    assert "too much written" in mutants._NOTICED
