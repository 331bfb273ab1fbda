"""Client, daemon and keeper in storms that follow from a seed: nothing is lost, nothing comes twice, gaps are exact."""

import itertools
import logging

import pytest
import trio
import trio.testing
from simulated.plants import PLANTS
from simulated.world import World

KINDS = {
    "calm": {},
    "cuts": {"budget": 20_000, "is_alone": True},
    "kills": {"lives_s": 1.0, "is_alone": True},
    "long absences": {"lives_s": 3.0, "away_s": 15.0},
    "slow": {"slow": 0.02},
    "all": {"budget": 20_000, "lives_s": 4.0, "slow": 0.005},
}


@pytest.fixture(autouse=True)
def _quiet():
    """A storm fills the logs with what is expected of it."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


async def played(kind, seed):
    world = World(seed, **KINDS[kind])
    try:
        await world.play()
        world.judge()
    except BaseException as fault:
        fault.add_note(f"in a storm of the kind {kind}, with the seed {seed}")
        raise
    return world


@pytest.mark.timeout(300)  # eighteen storms
async def test_what_is_shown_is_what_was_written(autojump_clock):
    """At each moment a prefix of it, or a gap of exactly the size that is told; each key reaches the program once, in order. Daemons are
    killed, lines are cut and gaps are told meanwhile."""
    worlds = {(kind, seed): await played(kind, seed) for kind in KINDS for seed in range(3)}

    lost = {
        (kind, seed)
        for (kind, seed), world in worlds.items()
        if any(client.lost_bytes for client in world.clients)
    }
    assert lost
    assert "calm" not in {kind for kind, _ in lost}
    assert sum(world.kills for world in worlds.values()) > 5
    assert sum(world.cuts for world in worlds.values()) > 20


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_bug_is_found(plant, monkeypatch):
    """Within a few storms, by what it breaks."""
    PLANTS[plant](monkeypatch)
    found = []
    for seed, kind in itertools.product(range(6), KINDS):
        clock = trio.testing.MockClock(autojump_threshold=0)
        try:
            trio.run(played, kind, seed, clock=clock)
        except (AssertionError, ExceptionGroup, trio.TooSlowError, RuntimeError) as fault:
            found.append(fault)
            break
    assert found
