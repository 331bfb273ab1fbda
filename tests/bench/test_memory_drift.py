"""What a long run adds to a daemon's memory is judged once its caches are warm."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from chaos.drift import drift


@pytest.mark.parametrize(
    ("weights", "percent"),
    [
        ([50.0 + number for number in range(25)] + [80.0] * 75, 0.0),  # warms up
        ([100.0] * 25 + [100.0 + number for number in range(75)], 88.9),  # grows on and on
        ([100.0] * 50 + [105.0] * 50, 10.0),
    ],
)
def test_only_what_grows_after_the_first_quarter_is_drift(weights, percent):
    assert drift(list(enumerate(weights)))["percent"] == pytest.approx(percent, abs=1.0)
