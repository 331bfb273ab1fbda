"""Ratios of medians: what was planted is found, a thing is the same as itself, and the interval holds the truth."""

import math
import random
from statistics import fmean

import pytest
from baseline import ratios
from baseline.contest import Answer, Figures, told, wilson
from baseline.ratios import ratio_of, signed_rank

NOISE = 0.1


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    """Enough for what is planted here; the ends of an interval are coarser."""
    monkeypatch.setattr(ratios, "_DRAWS", 400)


def series(dice, count, factor=1.0, noise=NOISE):
    return [2.0 * factor * math.exp(dice.gauss(0, noise)) for _ in range(count)]


def test_a_fifth_more_is_found_twenty_times_of_twenty():
    dice = random.Random(1)  # noqa: S311
    found = [ratio_of(series(dice, 40), series(dice, 40, 1.2)).verdict for _ in range(20)]
    assert ["slower"] * 20 == found


def test_a_thing_compared_with_itself_raises_one_alarm_at_most():
    """As many tools as there are, as often as the goal says; the intervals are reckoned where the pairs are unlikely."""
    dice = random.Random(2)  # noqa: S311
    found = [(series(dice, 30), series(dice, 30)) for _ in range(36 * 20)]
    unlikely = [
        (a, b)
        for a, b in found
        if signed_rank([two - one for one, two in zip(a, b, strict=True)]) < 0.01
    ]
    verdicts = [ratio_of(a, b).verdict for a, b in unlikely]

    assert sum(verdict in {"slower", "faster"} for verdict in verdicts) <= 1


def test_the_interval_holds_a_planted_truth():
    """1.5 times slower, at least 18 of 20 intervals of 95 %, each estimate within 5 %."""
    dice = random.Random(3)  # noqa: S311
    found = [
        ratio_of(series(dice, 120), series(dice, 120, 1.5), confidence=0.95) for _ in range(20)
    ]

    assert sum(ratio.low <= 1.5 <= ratio.high for ratio in found) >= 18
    assert all(abs(ratio.value / 1.5 - 1) < 0.05 for ratio in found)


@pytest.mark.parametrize(("a", "b"), [([], []), ([1.0], [2.0]), ([None, 1.0], [1.0, 1.0])])
def test_one_pair_tells_nothing(a, b):
    assert ratio_of(a, b) is None


def test_the_same_data_give_the_same_interval():
    dice = random.Random(4)  # noqa: S311
    data = series(dice, 20), series(dice, 20)
    assert ratio_of(*data) == ratio_of(*data)


def answered(total, **more):
    facts = {
        "category": "",
        "first": total and total / 2,
        "speed": None,
        "own": 1.0,
        "cost": None,
        "input_tokens": 10,
        "cached_tokens": 0,
    }
    return Answer(total=total, **facts | more)


def lost(category="provider"):
    return answered(None, category=category, first=None, own=None)


def figures(pairs):
    return Figures(names=("glm", "kimi"), pairs=tuple(pairs), at_once=1)


def test_no_winner_is_named_where_the_interval_holds_1():
    dice = random.Random(5)  # noqa: S311
    same = figures(
        [
            (answered(a), answered(b))
            for a, b in zip(series(dice, 20), series(dice, 20), strict=True)
        ]
    )
    slow = figures([(answered(a), answered(1.5 * a)) for a in series(dice, 20)])

    assert "better" not in "\n".join(told(same, simulated=True))
    (line,) = (line for line in told(slow, simulated=True) if "total:" in line)
    assert line.endswith("glm is better")


def test_every_line_says_that_no_model_was_asked():
    found = list(told(figures([(answered(1.0), answered(1.0))] * 3), simulated=True))
    assert all(line.startswith("simulated ") for line in found)
    assert not any(
        "simulated" in line
        for line in told(figures([(answered(1.0), answered(1.0))] * 3), simulated=False)
    )


def test_faults_are_counted_by_category_and_take_no_part_in_times():
    found = figures(
        [
            (answered(1.0), answered(2.0)),
            (answered(1.0), lost()),
            (lost("timeout"), answered(2.0)),
            (answered(1.0), answered(2.0)),
        ]
    )

    assert ({"timeout": 1}, {"provider": 1}) == tuple(found.errors(place)[0] for place in (0, 1))
    assert (2.0, 2) == (found.ratio("total").value, found.ratio("total").pairs)


def test_what_a_cache_gave_is_told():
    pair = (answered(1.0, cached_tokens=5), answered(1.0))
    assert (0.5, 0.0) == tuple(figures([pair] * 2).cached(place) for place in (0, 1))


def test_a_share_has_an_interval():
    """Five of a hundred; none of twenty is not never."""
    low, high = wilson(5, 100)
    assert low < 0.05 < high < 0.12
    assert wilson(0, 20)[1] > 0.1
    assert (0.0, 1.0) == wilson(0, 0)
    assert fmean(wilson(50, 100)) == pytest.approx(0.5)


def test_pairs_that_all_differ_one_way_are_no_chance():
    """As tables of the test have it: ten pairs, all above, are 2 in 1,000 by chance."""
    assert signed_rank(range(1, 11)) == pytest.approx(0.002, rel=0.5, abs=0.004)
    assert 1.0 == signed_rank([0, 0])
    assert signed_rank([1, -1, 2, -2, 3, -3]) > 0.8
