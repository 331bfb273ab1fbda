"""What a daemon remembers of a registry, for doors that cannot wait for it."""

import sys
from pathlib import Path

import attrs
import pytest

from exai_trio.access.token_claims import Claims
from exai_trio.access.token_registry import Quota
from exai_trio.daemon.connections.identity import Identity
from exai_trio.daemon.connections.standings import Standings
from exai_trio.errors import UnauthorizedError

sys.path.insert(0, str(Path(__file__).parents[2] / "access"))
from token_registries import NOW, MemoryRegistry, issued

ANN = Claims(subject="ann", ends=NOW + 60, issued_at=NOW, token_id="t1", is_registered=True)
FREE = attrs.evolve(ANN, token_id="", is_registered=False)


def let_in(standings, claims):
    identity = Identity.of(claims)
    try:
        standings.admit_known(identity, claims)
    except UnauthorizedError:
        return None
    return identity


async def test_what_it_heard_last_lets_in_or_not():
    """An entry that was never heard of is not taken; what was revoked ends, and comes in no more; nor does what was emptied away."""
    registry = MemoryRegistry()
    standings = Standings(registry, lambda: NOW, lambda *_: None)
    await registry.add(issued())
    unheard, free = let_in(standings, ANN), let_in(standings, FREE)
    await standings.look()
    heard = let_in(standings, ANN)
    await registry.revoke("t1", NOW)
    await registry.revoke_all("ann", NOW, NOW + 9)
    await standings.look()

    assert unheard is None
    assert heard.is_over(NOW)
    assert free.is_over(NOW)
    assert [None, None] == [let_in(standings, ANN), let_in(standings, FREE)]


async def test_a_registry_that_was_emptied_vouches_for_nobody():
    registry = MemoryRegistry()
    standings = Standings(registry, lambda: NOW, lambda *_: None)
    await registry.add(issued())
    await standings.look()
    registry.number = 0
    registry.changed.clear()
    await standings.look()

    assert let_in(standings, ANN) is None


async def test_of_several_tokens_the_one_that_was_changed_last_says_the_quota():
    """Whichever of them is shown; once it is revoked, the one before it does."""
    registry, told = MemoryRegistry(), []
    standings = Standings(registry, lambda: NOW, lambda _, quota: told.append(quota.concurrent))
    for number in (1, 2):
        await registry.add(issued(f"t{number}", quota=Quota(concurrent=number)))
    await standings.look()
    await standings.admit(ANN, "::1")
    await registry.set_quota("t1", Quota(concurrent=7))
    await standings.look()
    await registry.revoke("t1", NOW)
    await standings.look()

    assert [1, 2, 7, 2] == told


@pytest.mark.parametrize("has_keys", [True, False])
async def test_who_has_no_keys_asks_nothing(has_keys, autojump_clock, nursery):
    import trio

    registry = MemoryRegistry()
    nursery.start_soon(Standings(registry, lambda: NOW, lambda *_: None, lambda: has_keys).run)
    await trio.sleep(10)
    nursery.cancel_scope.cancel()

    assert has_keys == bool(registry.asked)
