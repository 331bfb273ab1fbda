"""Daemons that share an account find out once that a provider fails, and one of them finds out that it is well."""

import sys
from pathlib import Path

import attrs
import trio
import trio.testing

sys.path.insert(0, str(Path(__file__).parents[2] / "storage"))

from breakers_in_memory import MemoryBreakers

from exai_trio.daemon.takeover.cluster.breaker_comparison import (
    COMPARE_S,
    GRACE_S,
    BreakerComparison,
)
from exai_trio.resilience.breaker import Closed, Ticket
from exai_trio.resilience.breakers import Breakers

LEASE_S, OPEN_S = 6.0, 20.0


@attrs.define(eq=False)
class Daemon:
    """One that may ask a provider."""

    comparison: BreakerComparison
    moves: list

    @property
    def breaker(self):
        return self.comparison.breakers.of("glm")

    @property
    def state(self):
        return self.breaker.state(trio.current_time())

    def ask(self):
        return self.breaker.admit(trio.current_time())

    def settle(self, ticket, outcome):
        self.breaker.settle(ticket, outcome, trio.current_time())


def daemon_of(name, store):
    moves = []
    breakers = Breakers(threshold=1, open_s=OPEN_S)
    heard = lambda breaker, before, after: moves.append((breaker, before, after))  # noqa: E731
    return Daemon(BreakerComparison(name, store, breakers, heard), moves)


async def some(nursery, count):
    store = MemoryBreakers(LEASE_S)
    daemons = [daemon_of(f"d{number}", store) for number in range(count)]
    for daemon in daemons:
        nursery.start_soon(daemon.comparison.run)
    await trio.testing.wait_all_tasks_blocked()
    return store, daemons


async def compared(times=2):
    await trio.sleep(times * COMPARE_S + 0.1)


async def probe_of(daemons):
    """The first leave that one of them gives to somebody who asks again and again; and whose it is."""
    while True:
        for daemon in daemons:
            if isinstance(given := daemon.ask(), Ticket):
                return given, daemon
        await trio.sleep(0.1)


async def test_what_one_finds_failing_none_asks_and_one_alone_probes(autojump_clock):
    async with trio.open_nursery() as nursery:
        _, daemons = await some(nursery, 3)
        daemons[0].settle(daemons[0].ask(), "failure")
        opened_at = trio.current_time()
        await compared()
        states = [daemon.state for daemon in daemons]
        ticket, prober = await probe_of(daemons)
        waited = trio.current_time() - opened_at
        await trio.sleep(4 * LEASE_S)  # it takes long
        meanwhile = [daemon.ask() for daemon in daemons]
        prober.settle(ticket, "success")
        await compared()
        after = [daemon.ask() for daemon in daemons]
        nursery.cancel_scope.cancel()

    assert ["open"] * 3 == states
    assert ticket.probe
    assert OPEN_S <= waited < OPEN_S + 2 * COMPARE_S
    assert all(isinstance(each, Closed) for each in meanwhile)
    assert all(isinstance(each, Ticket) and not each.probe for each in after)
    assert ("glm", "closed", "open") in daemons[1].moves


async def test_a_probe_that_fails_opens_it_for_all_anew(autojump_clock):
    async with trio.open_nursery() as nursery:
        _, daemons = await some(nursery, 2)
        daemons[0].settle(daemons[0].ask(), "failure")
        await compared()
        ticket, prober = await probe_of(daemons)
        prober.settle(ticket, "failure")
        await compared()
        refusals = [daemon.ask() for daemon in daemons]
        nursery.cancel_scope.cancel()

    assert all(each.retry_after_s > OPEN_S / 2 for each in refusals)


async def test_who_was_let_probe_and_does_not_leaves_it_to_others(autojump_clock):
    async with trio.open_nursery() as nursery:
        _, (idle, busy) = await some(nursery, 2)
        idle.settle(idle.ask(), "failure")
        idle.ask()  # which is refused, and then nobody asks there
        await trio.sleep(OPEN_S + LEASE_S)
        with trio.fail_after(2 * LEASE_S):
            ticket, prober = await probe_of([busy])
        nursery.cancel_scope.cancel()

    assert ticket.probe
    assert busy is prober


async def test_without_the_store_each_has_its_own(autojump_clock):
    """What is open ends by itself, and what opens here opens here."""
    async with trio.open_nursery() as nursery:
        store, (one, two) = await some(nursery, 2)
        one.settle(one.ask(), "failure")
        await compared()
        store.away |= {"d0", "d1"}
        await trio.sleep(OPEN_S + GRACE_S)
        probes = one.ask(), two.ask()
        one.settle(probes[0], "success")
        two.settle(probes[1], "failure")
        await compared()
        apart = one.state, two.state
        store.away.clear()
        await compared()
        together = one.state, two.state
        nursery.cancel_scope.cancel()

    assert all(each.probe for each in probes)
    assert ("closed", "open") == apart
    assert len({*together}) == 1
