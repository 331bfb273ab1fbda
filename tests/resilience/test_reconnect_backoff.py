"""How long the link waits between two attempts."""

from hypothesis import given, strategies as st

from exai_trio.resilience.reconnect_backoff import SHORTEST_S, Pauses

PAUSES = Pauses(first_s=0.25, longest_s=30.0)
seconds = st.floats(0, 1e6)
spread = st.floats(0, 1, exclude_max=True)


def test_pauses_double():
    """Each is as long as all before it and the first one together."""
    away, found = 0.0, []
    for _ in range(9):
        found.append(PAUSES.next_s(away, closed_door=False, random=0.5))
        away += found[-1]

    assert found == [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30]


def test_a_closed_door_is_tried_after_a_tenth_of_the_absence():
    """A daemon that takes ten seconds to come back is found within about one."""
    assert PAUSES.next_s(9.75, closed_door=True, random=0.5) == 1.0


@given(seconds, st.booleans(), spread)
def test_every_pause_is_spread_and_within_its_limits(away, closed_door, random):
    """Two shims that lost their daemon in the same moment do not come back together, not even at the shortest pause."""
    pause = PAUSES.next_s(away, closed_door=closed_door, random=random)
    middle = PAUSES.next_s(away, closed_door=closed_door, random=0.5)

    assert 0.9 * SHORTEST_S <= pause <= 33
    assert abs(pause / middle - (0.9 + 0.2 * random)) < 1e-9
