"""Token buckets: what passes at once, what passes in the long run, what is remembered."""

from hypothesis import given, strategies as st

from exai_trio.resilience.rate import Bucket, Buckets, Rate

RATE = Rate(per_s=2.0, burst=3.0)


def test_a_rested_bucket_gives_its_burst_at_once_and_then_its_rate():
    """Three at once; the fourth half a second later, as the wait had said."""
    bucket = Bucket(RATE)
    for _ in range(3):
        assert 0.0 == bucket.wait_s(10.0)
        bucket.take(10.0)

    assert 0.5 == bucket.wait_s(10.0)
    assert 0.0 == bucket.wait_s(10.5)


def test_a_debt_is_waited_off():
    """Whoever takes without asking waits so much longer."""
    bucket = Bucket(RATE)
    bucket.take(0.0, 9.0)

    assert 3.5 == bucket.wait_s(0.0)
    assert 3.0 == bucket.wait_s(0.0, 0.0)


@given(st.lists(st.floats(0.0, 5.0), max_size=200))
def test_never_more_than_burst_and_rate(pauses):
    """Whatever the pattern, no more passes in a time than the burst and what flowed in meanwhile."""
    bucket, now, passed = Bucket(RATE), 0.0, 0
    for pause in pauses:
        now += pause
        if not bucket.wait_s(now):
            bucket.take(now)
            passed += 1

    assert passed <= RATE.burst + RATE.per_s * now + 1e-6


def test_names_do_not_share():
    """One name's debt is not another's."""
    buckets = Buckets(RATE)
    buckets.of("a", 0.0).take(0.0, 3.0)

    assert buckets.of("a", 0.0).wait_s(0.0)
    assert not buckets.of("b", 0.0).wait_s(0.0)


def test_idle_names_are_forgotten():
    """A hundred thousand names that come once each leave a handful in the table; a debtor stays."""
    buckets = Buckets(RATE)
    buckets.of("debtor", 0.0).take(0.0, 1e9)
    for number in range(100_000):
        buckets.of(f"n{number}", number * 10.0).take(number * 10.0)

    assert len(buckets) < 100
    assert buckets.of("debtor", 1e6).wait_s(1e6)


def test_more_names_than_fit_share_one_bucket():
    """A flood of names costs bounded memory, and gets no bucket of its own for each."""
    buckets = Buckets(RATE, most=50)
    for number in range(1_000):
        buckets.of(f"n{number}", 0.0).take(0.0)

    assert 50 == len(buckets)
    assert buckets.of("late", 0.0) is buckets.of("later", 0.0)
    assert buckets.of("late", 0.0).wait_s(0.0)
