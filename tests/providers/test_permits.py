"""Permits of one provider, on the jumping clock."""

import pytest
import trio

from exai_trio.errors import ProviderBusyError
from exai_trio.providers.adaptive_limit import RECOVER_S, AdaptiveLimit, Permits


def too_many(**details):
    return ProviderBusyError("too many", details={"reason": "concurrency", **details})


@pytest.fixture
def adaptive_limit():
    return AdaptiveLimit(configured=4)


def idle(adaptive_limit):
    view = adaptive_limit.view()
    return view.current == view.expected and view.waiting == 0


async def hold(adaptive_limit):
    async with adaptive_limit.permit(lambda: None):
        await trio.sleep_forever()


async def test_permits_are_counted_while_they_are_held(adaptive_limit, nursery):
    """Held ones are missing, waiting requests are seen, and all are back when idle."""
    async with trio.open_nursery() as holders:
        for _ in range(4):
            holders.start_soon(hold, adaptive_limit)
        holders.start_soon(hold, adaptive_limit)
        await trio.testing.wait_all_tasks_blocked()
        view = adaptive_limit.view()
        holders.cancel_scope.cancel()

    assert view == Permits(expected=4, current=0, waiting=1)
    assert idle(adaptive_limit)


async def test_only_who_waits_is_said_to_wait(adaptive_limit, autojump_clock):
    """The seconds are true, and `waiting` is called once, before waiting."""
    narrow, calls = AdaptiveLimit(configured=1), []

    async def brief():
        async with narrow.permit(lambda: calls.append(trio.current_time())):
            await trio.sleep(3)

    async with trio.open_nursery() as users:
        users.start_soon(brief)
        await trio.testing.wait_all_tasks_blocked()
        async with narrow.permit(lambda: calls.append("waited")) as waited_s:
            pass

    assert calls == ["waited"]
    assert waited_s == pytest.approx(3)


async def test_a_complaint_costs_one_permit(adaptive_limit, autojump_clock):
    """One fewer from now on; what is reported as expected follows."""
    await trio.sleep(1)
    adaptive_limit.learn(too_many(), trio.current_time())

    assert adaptive_limit.view() == Permits(expected=3, current=3, waiting=0)


async def test_complaints_of_one_burst_teach_one_lesson(adaptive_limit, autojump_clock):
    """Four requests refused together do not cost four permits."""
    asked_at = trio.current_time()
    await trio.sleep(0.4)

    for _ in range(4):
        adaptive_limit.learn(too_many(), asked_at)

    assert adaptive_limit.view().expected == 3


async def test_a_number_that_the_provider_names_is_taken(adaptive_limit, autojump_clock):
    """Kimi says how many it allows; more than configured it never becomes, less than one neither."""
    await trio.sleep(1)
    adaptive_limit.learn(too_many(max_concurrency=9), trio.current_time())
    first = adaptive_limit.view().expected
    adaptive_limit.learn(too_many(max_concurrency=2), trio.current_time() + 1)
    second = adaptive_limit.view().expected
    adaptive_limit.learn(too_many(max_concurrency=0), trio.current_time() + 2)

    assert (first, second, adaptive_limit.view().expected) == (4, 2, 1)


async def test_what_others_use_teaches_nothing(adaptive_limit, autojump_clock):
    """A number that the provider names is the account's, however small our share is at that moment."""
    adaptive_limit.share = 1
    adaptive_limit.learn(too_many(max_concurrency=3), trio.current_time())
    adaptive_limit.share = None

    assert adaptive_limit.view().expected == 3


async def test_one_permit_always_remains(adaptive_limit, autojump_clock):
    """However often the provider complains."""
    for _ in range(20):
        await trio.sleep(1)
        adaptive_limit.learn(too_many(), trio.current_time())

    assert adaptive_limit.view() == Permits(expected=1, current=1, waiting=0)


async def test_permits_come_back_slowly(adaptive_limit, autojump_clock):
    """One for each minute without a complaint, and only when a request succeeds."""
    adaptive_limit.learn(too_many(max_concurrency=2), trio.current_time())
    seen = []
    for _ in range(4):
        adaptive_limit.learn(None, trio.current_time())
        seen.append(adaptive_limit.allowed)
        await trio.sleep(RECOVER_S)

    assert seen == [2, 3, 4, 4]


async def test_lowering_while_all_are_held(adaptive_limit, autojump_clock):
    """More are out than there should be: none is free, nobody is thrown out, and it evens out."""
    async with trio.open_nursery() as holders:
        for _ in range(4):
            holders.start_soon(hold, adaptive_limit)
        await trio.testing.wait_all_tasks_blocked()
        adaptive_limit.learn(too_many(max_concurrency=2), trio.current_time())
        view = adaptive_limit.view()
        holders.cancel_scope.cancel()

    assert view == Permits(expected=2, current=0, waiting=0)
    assert idle(adaptive_limit)


async def test_cancelling_anywhere_frees_the_permit(autojump_clock, cancel_at_every_step):
    """Waiting or holding."""
    adaptive_limit = AdaptiveLimit(configured=1)

    async def use():
        async with adaptive_limit.permit(lambda: None):
            await trio.sleep(1)

    async def scenario():
        async with trio.open_nursery() as users:
            users.start_soon(use)
            users.start_soon(use)

    steps = await cancel_at_every_step(scenario, lambda: _assert(idle(adaptive_limit)))

    assert steps > 3


def _assert(truth):
    assert truth
