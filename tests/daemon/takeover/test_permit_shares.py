"""Daemons that share an account: never more requests at once than it allows, and nearly always as many."""

import math
import sys
from pathlib import Path

import attrs
import trio

sys.path.insert(0, str(Path(__file__).parents[2] / "storage"))

from permits_in_memory import MemoryPermits as Store

from exai_trio.daemon.takeover.cluster.permit_shares import RENEW_S, PermitShares
from exai_trio.providers.adaptive_limit import AdaptiveLimit
from exai_trio.storage.shared.shared_calls import LEASE_S

CAPACITY = 4


@attrs.define(eq=False)
class Account:
    """What the provider sees."""

    now: int = 0
    most: int = 0
    full_s: float = 0.0
    ended: int = 0
    _since: float = -math.inf

    def _move(self, by):
        at = trio.current_time()
        if self.now == CAPACITY:
            self.full_s += at - self._since
        self._since, self.now = at, self.now + by
        self.most = max(self.most, self.now)

    async def ask(self, limit, seconds):
        async with limit.permit(lambda: None):
            self._move(1)
            try:
                await trio.sleep(seconds)
            finally:
                self._move(-1)
        self.ended += 1


def daemon_of(name, store):
    limit = AdaptiveLimit(configured=CAPACITY)
    return limit, PermitShares(name, store, lambda: {"glm": limit})


async def all_asked(account, limit, count):
    async with trio.open_nursery() as asking:
        for number in range(count):
            asking.start_soon(account.ask, limit, 0.2 + number % 7 / 10)


async def test_four_daemons_use_what_one_account_allows_and_no_more(autojump_clock):
    store, account = Store(), Account()
    async with trio.open_nursery() as daemons, trio.open_nursery() as calls:
        for number in range(4):
            limit, shares = daemon_of(f"d{number}", store)
            await daemons.start(shares.run)
            calls.start_soon(all_asked, account, limit, 50)
        began = trio.current_time()
        while account.ended < 200:
            await trio.sleep(0.05)
        took = trio.current_time() - began
        daemons.cancel_scope.cancel()

    assert account.most == CAPACITY
    assert account.full_s >= 0.95 * took


async def test_what_others_do_not_want_is_ones_own_and_goes_back(autojump_clock):
    store, account = Store(), Account()
    async with trio.open_nursery() as daemons:
        busy, shares = daemon_of("busy", store)
        idle, idle_shares = daemon_of("idle", store)
        await daemons.start(shares.run)
        await daemons.start(idle_shares.run)
        async with trio.open_nursery() as calls:
            calls.start_soon(all_asked, account, busy, 60)
            await trio.sleep(3 * RENEW_S)
            alone = busy.allowed
            calls.start_soon(account.ask, idle, 1.0)
            began = trio.current_time()
            while not idle.held:
                await trio.sleep(0.01)
            waited = trio.current_time() - began
        daemons.cancel_scope.cancel()

    assert alone == CAPACITY
    assert waited < RENEW_S + 1 + 4 * 0.25  # a renewal, the longest request, and a few looks
    assert account.most == CAPACITY


async def test_more_daemons_than_places_have_them_by_turns(autojump_clock):
    store, account = Store(), Account()
    async with trio.open_nursery() as daemons, trio.open_nursery() as calls:
        for number in range(CAPACITY + 2):
            limit, shares = daemon_of(f"d{number}", store)
            await daemons.start(shares.run)
            calls.start_soon(all_asked, account, limit, 8)
        with trio.fail_after(120):
            while account.ended < 8 * (CAPACITY + 2):
                await trio.sleep(0.1)
        daemons.cancel_scope.cancel()

    assert account.most == CAPACITY


async def test_a_share_is_kept_while_the_store_is_away_and_is_free_a_lease_later(autojump_clock):
    store = Store()
    async with trio.open_nursery() as daemons:
        limit, shares = daemon_of("a", store)
        other, other_shares = daemon_of("b", store)
        await daemons.start(shares.run)
        async with limit.permit(lambda: None):
            await trio.sleep(RENEW_S + 0.1)
            store.away.add("a")
            await trio.sleep(RENEW_S)
            kept = limit.allowed
            await daemons.start(other_shares.run)
            async with trio.open_nursery() as calls:
                for _ in range(CAPACITY):
                    calls.start_soon(Account().ask, other, 60)
                await trio.sleep(RENEW_S)
                early = other.allowed
                await trio.sleep(LEASE_S + RENEW_S)
                late = other.allowed
                calls.cancel_scope.cancel()
        daemons.cancel_scope.cancel()

    assert kept == 1
    assert early == CAPACITY - 1
    assert late == CAPACITY


async def test_nothing_is_used_before_the_store_was_asked(autojump_clock):
    store = Store(away={"a"})
    limit, shares = daemon_of("a", store)
    async with trio.open_nursery() as daemons:
        await daemons.start(shares.run)
        nothing = limit.allowed
        store.away.clear()
        async with limit.permit(lambda: None):
            pass
        daemons.cancel_scope.cancel()

    assert nothing == 0
