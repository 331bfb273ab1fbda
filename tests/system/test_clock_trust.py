"""When the wall clock is believed."""

from hypothesis import given, strategies as st

from exai_trio.system.clock_trust import FAR_S, PROBATION_S, ClockTrust

NOW = 1_790_000_000.0
DAY_S = 86_400.0


def test_an_empty_store_has_nothing_to_lose():
    """Without anything that is kept every clock is right."""
    assert ClockTrust(None, 0.0).trusts(NOW, 0.0)


def test_a_clock_near_what_is_kept_is_right():
    """Up to an hour beyond the newest row, and anywhere before it."""
    assert [True, True, True, False] == [
        ClockTrust(NOW, 0.0).trusts(NOW + ahead, 0.0) for ahead in (0, FAR_S, -DAY_S, FAR_S + 1)
    ]


def test_a_clock_far_beyond_is_right_after_an_hour():
    """Counted by the clock that nobody sets, and from the last time that it was set."""
    clock = ClockTrust(NOW, 0.0)
    told = [clock.trusts(NOW + DAY_S + steady, steady) for steady in (0, 300, PROBATION_S - 1)]
    moved = [clock.trusts(NOW + 2 * DAY_S + steady, steady) for steady in (PROBATION_S, 2 * PROBATION_S - 1)]  # fmt: skip
    last = [clock.trusts(NOW + 2 * DAY_S + steady, steady) for steady in (2 * PROBATION_S, 9e9)]

    assert [False] * 5 == told + moved
    assert [True, True] == last


def test_a_clock_that_is_set_right_is_believed_at_once():
    """What it said meanwhile is forgotten: the next jump is doubted for a whole hour again."""
    clock = ClockTrust(NOW, 0.0)
    doubted = clock.trusts(NOW + DAY_S, 0.0), clock.trusts(NOW + DAY_S + 3000, 3000.0)
    right = clock.trusts(NOW + 3001, 3001.0)
    again = clock.trusts(NOW + DAY_S + 3700, 3700.0), clock.trusts(NOW + DAY_S + 7299, 7299.0)
    at_last = clock.trusts(NOW + DAY_S + 7300, 7300.0)

    assert (False, False, True, False, False, True) == (*doubted, right, *again, at_last)


def test_an_unreadable_store_makes_every_clock_wait():
    """Nobody knows then what there is to lose."""
    clock = ClockTrust(float("-inf"), 0.0)

    assert [False, False, True] == [clock.trusts(NOW + s, s) for s in (0.0, 3599.0, 3600.0)]


@given(
    looks=st.lists(
        st.tuples(st.floats(1, 600), st.sampled_from([0.0, 0.0, 0.0, DAY_S, 2 * DAY_S])),
        max_size=40,
    )
)
def test_no_wrong_clock_is_believed_within_the_hour(looks):
    """However it is set to and fro, a time ahead is believed only after it has stood for an hour."""
    clock, steady, since, last = ClockTrust(NOW, 0.0), 0.0, 0.0, 0.0
    believed = 0.0  # ahead
    for seconds, ahead in looks:
        steady += seconds
        if ahead != last:
            since, last = steady, ahead
        if clock.trusts(NOW + ahead + steady, steady):
            assert ahead <= believed or steady - since >= PROBATION_S
            believed = ahead
