"""Quotas hold, and give back what they took, by a clock that the tests turn."""

from contextlib import suppress

import attrs
import pytest
import trio.lowlevel
from hypothesis import given, settings, strategies as st
from token_registries import NOW

from exai_trio.access.quotas import DayTokens, Quotas
from exai_trio.access.token_registry import Quota
from exai_trio.errors import OverCapacityError

DAY = 86400.0


@attrs.define
class Turned:
    """A clock; and what was spent before, by principal."""

    at: float = NOW
    before: dict = attrs.field(factory=dict)

    def quotas(self, quota=Quota(), **given):  # noqa: B008  # frozen
        async def since(_at):
            return self.before

        quotas = Quotas(DayTokens(since), lambda: self.at, lambda: self.at, **given)
        quotas.tell("jwt:ann", quota)
        return quotas


@attrs.frozen
class Ended:
    principal: str
    input_tokens: int | None
    output_tokens: int | None


def run(work):
    """Take what never waits to its end."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits")


steps = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.none()),
        st.tuples(st.just("end"), st.integers(0, 9)),
        st.tuples(st.just("wait"), st.floats(0.01, 45)),
    ),
    max_size=60,
)


@given(steps, st.integers(0, 5), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_rate_and_places_hold_in_any_order(turns, rate, concurrent):
    """Never more in a sliding minute, never more at once; who is refused comes in after what it was told to wait, or once a place is
    free; places return to zero."""
    clock = Turned()
    quotas = clock.quotas(Quota(calls_per_minute=rate, concurrent=concurrent))
    accepted, places = [], []
    for what, by in turns:
        if what == "wait":
            clock.at += by
        elif what == "end" and places:
            places.pop(by % len(places)).give_back()
        elif what == "call":
            last = run_take(quotas)
            if isinstance(last, OverCapacityError):
                check_refusal(last, clock, quotas, (rate, concurrent))
            else:
                places.append(last)
                accepted.append(clock.at)
        recent = [at for at in accepted if at > clock.at - 60]
        assert not rate or len(recent) <= rate
        assert not concurrent or len(places) <= concurrent
        assert len(places) == quotas.running("jwt:ann")
    for place in places:
        place.give_back()
        place.give_back()  # a second time gives nothing

    assert 0 == quotas.running("jwt:ann")


def run_take(quotas, who="jwt:ann"):
    async def main():
        try:
            return await quotas.take(who)
        except OverCapacityError as refusal:
            return refusal

    return run(main())


def check_refusal(refusal, clock, quotas, quota):
    """It says what was over, and when to come again."""
    use = quotas._uses["jwt:ann"]
    reason = refusal.details["reason"]
    recent = [at for at in use.accepted if at > clock.at - 60]
    assert reason in {"concurrent", "rate"}
    if reason == "concurrent":
        assert use.running == quota[1]
    else:
        assert len(recent) == quota[0]
        assert recent[0] + 60 - clock.at <= refusal.retry_after_s < 60.2


@pytest.mark.parametrize("who", ["jwt:ann", "jwt:bob"])
async def test_tokens_of_a_day(who):
    """What was spent before this daemon counts, what others spend does not, and at midnight (UTC) it begins anew."""
    clock = Turned(before={"jwt:ann": 90})
    quotas = clock.quotas(Quota(tokens_per_day=100))
    first = await quotas.take("jwt:ann")
    quotas.note(Ended(who, 6, 5))
    try:
        await quotas.take("jwt:ann")
        second = None
    except OverCapacityError as refusal:
        second = refusal
    left = quotas.tokens_left("jwt:ann", 1)
    clock.at += second.retry_after_s if second else DAY
    third = await quotas.take("jwt:ann")

    assert first is not third
    if who == "jwt:ann":
        assert ("tokens", 0) == (second.details["reason"], left)
        assert 0 < second.retry_after_s <= DAY
    else:
        assert (None, 9) == (second, left)
    assert 100 == quotas.tokens_left("jwt:ann", 0)


async def test_the_whole_daemon_has_a_day_too():
    """Whoever asks then."""
    clock = Turned(before={"owner": 7, "jwt:ann": 3})
    quotas = clock.quotas(tokens_day=12)
    await quotas.take("jwt:bob")
    quotas.note(Ended("jwt:bob", 2, None))
    with pytest.raises(OverCapacityError) as refused:
        await quotas.take("owner")

    assert "tokens" == refused.value.details["reason"]
    assert "EXAI_TOKENS_DAY" in refused.value.message


def test_who_has_no_quota_is_not_looked_at():
    quotas = Turned().quotas()

    assert not quotas.concerns("jwt:ann")
    quotas.tell("jwt:ann", Quota(concurrent=1))
    assert quotas.concerns("jwt:ann")
    assert not quotas.concerns("owner")


async def test_what_counts_is_told():
    """What is used, and of each limit what is left; a minute later the calls count no more."""
    clock = Turned(before={"jwt:ann": 90})
    quotas = clock.quotas(Quota(calls_per_minute=3, tokens_per_day=100))
    place = await quotas.take("jwt:ann")
    now = (await quotas.use("jwt:ann")).told()
    place.give_back()
    clock.at += 60
    later = (await quotas.use("jwt:ann")).told()

    assert {"calls_per_minute": 1, "concurrent": 1, "tokens_per_day": 90} == now["used"]
    assert {"calls_per_minute": 2, "tokens_per_day": 10} == now["left"]
    assert {"calls_per_minute": 0, "concurrent": 0, "tokens_per_day": 90} == later["used"]


class SlowRates:
    """Shared rates that take their time, and then let pass or refuse."""

    def __init__(self, wait):
        self.wait = wait

    async def wait_s(self, _principal, _most):
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
        return self.wait


@pytest.mark.parametrize("wait", [0.0, 5.0])
async def test_places_return_wherever_a_call_is_cancelled(cancel_at_every_step, wait):
    """At each step of its way, whether it is let in or refused by what daemons share: nobody is kept out for good."""
    quotas = Turned().quotas(Quota(calls_per_minute=9, concurrent=1), rates=SlowRates(wait))

    async def call():
        with suppress(OverCapacityError):
            place = await quotas.take("jwt:ann")
            try:
                await trio.lowlevel.checkpoint()
            finally:
                place.give_back()
        quotas._uses.clear()

    def nothing_runs():
        assert 0 == quotas.running("jwt:ann")
        quotas._uses.clear()

    assert await cancel_at_every_step(call, nothing_runs) > 2
