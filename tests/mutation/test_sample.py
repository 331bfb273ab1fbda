"""The same seed draws the same mutants, and a change elsewhere moves none of them."""

import pytest
from mutation.operators import mutants
from mutation.reach import Reach
from mutation.sample import explained, sampled

from exai_trio.daemon.calls import states

SOME = ("exai_trio/daemon/calls",)
_HERE = "exai_trio/daemon/calls/states.py"


def test_a_seed_draws_the_same_again():
    one = sampled(SOME, 40, 7)

    assert one == sampled(SOME, 40, 7)
    assert one != sampled(SOME, 40, 8)
    assert one == sampled(SOME, 80, 7)[:40]


def test_a_line_more_moves_nothing(tmp_path, monkeypatch):
    """Neither into the sample nor out of it."""
    monkeypatch.chdir(tmp_path)
    module = tmp_path / "a.py"
    module.write_text("".join(f"f{number}()\n" for number in range(50)))
    before = [mutant.key for mutant in sampled(["a.py"], 50, 0)]

    module.write_text("g()\n" + module.read_text())

    assert before == [mutant.key for mutant in sampled(["a.py"], 51, 0) if "g()" not in mutant.key]


def test_the_nearest_and_quickest_tests_come_first():
    near, far = "tests/daemon/calls/test_a.py::test", "tests/mcp/test_b.py::test"
    (mutant,) = mutants(_HERE, "f()")
    seconds = {f"{near}_slow": 3.0, far: 0.1, near: 1.0}

    assert [near, f"{near}_slow", far] == Reach({f"{_HERE}:1": list(seconds)}, seconds).tests(
        mutant
    )


def test_what_takes_too_long_is_left_out():
    (mutant,) = mutants(_HERE, "f()")

    assert ["b"] == Reach({f"{_HERE}:1": ["a", "b"]}, {"a": 30.0, "b": 0.1}).tests(mutant)


@pytest.mark.parametrize("key", explained())
def test_what_is_explained_is_still_there(key):
    """A line that has changed is explained anew."""
    path = key.partition(" ")[0].rstrip(":")

    assert key in {mutant.key for mutant in sampled([path], 0, 0)}
    assert states.__file__.endswith(_HERE)
