"""How many requests were under way at once, as the figures of a team count them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from bench.team import overlap


def test_the_most_at_once_and_for_how_long():
    """One that begins when another ends is not beside it."""
    assert (2, 0.5) == overlap([(0, 2), (1, 2), (2, 3), (2, 4)], limit=2)
    assert (3, 1.0) == overlap([(0, 1), (0, 1), (0, 1)], limit=2)
