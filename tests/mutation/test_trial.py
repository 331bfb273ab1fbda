"""A mutant is judged in a process of its own: noticed, survived, or ended by its limit."""

import time

import pytest
from mutation.trial import started

pytestmark = pytest.mark.real


def _for_ever():
    while True:
        pass


def _failing():
    raise ValueError("no judge")


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
