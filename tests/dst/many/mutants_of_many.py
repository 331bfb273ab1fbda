"""Bugs to be planted among many daemons: each is a promise broken in one place, for the length of a block."""

from contextlib import AbstractContextManager

import attrs
from permits_in_memory import MemoryPermits
from shared_in_memory import SharedTables
from universe.planting import Bug, instead

from exai_trio.daemon.takeover.cluster import cluster
from exai_trio.daemon.takeover.cluster.lease import Lease

_SET_BACK_S = 20.0


def outcome_without_fence() -> AbstractContextManager[None]:
    """The store takes an outcome of whoever brings one."""

    def made(original):
        def finish(self, mine, name, outcome, epoch, attempt):
            row = self.calls.get(name)
            if row is not None and attempt:
                row.call = attrs.evolve(row.call, outcome=None)
                row.executor = mine
                attempt = -1
            return original(self, mine, name, outcome, epoch, attempt)

        return finish

    return instead(SharedTables, "finish", made)


def lease_by_ones_own_wall_clock() -> AbstractContextManager[None]:
    """Somebody sets it back while no renewal comes through."""

    def made(original):
        return property(lambda self: original.fget(self) + _SET_BACK_S)

    return instead(Lease, "serves_until", made)


def claim_at_once_after_an_outage() -> AbstractContextManager[None]:
    """Whoever reaches the store again first takes what others have not renewed yet."""

    def made(_original):
        return lambda self, now: self.may_serve(now)

    return instead(Lease, "may_claim", made)


def share_taken_from_a_holder() -> AbstractContextManager[None]:
    """The store gives a daemon fewer permits than it uses, and the rest to others."""

    def made(original):
        async def share(self, daemon, asked):
            less = {lane: attrs.evolve(ask, holds=0) for lane, ask in asked.items()}
            return await original(self, daemon, less)

        return share

    return instead(MemoryPermits, "share", made)


def numbered_under_an_old_epoch() -> AbstractContextManager[None]:
    """Whoever once had a session numbers its frames on."""
    return instead(SharedTables, "owns", lambda _original: lambda *_asked: True)


def notification_taken_for_the_truth() -> AbstractContextManager[None]:
    """What nobody tells is not looked for."""
    return instead(cluster, "LOOK_S", lambda _original: 10_000.0)


BUGS = (
    Bug(outcome_without_fence, "that is not the stored one", seed=1),
    Bug(lease_by_ones_own_wall_clock, "is claimed while it runs", seed=1),
    Bug(claim_at_once_after_an_outage, "though its daemon lived and was in touch", seed=1),
    Bug(share_taken_from_a_holder, "requests at once", seed=1),
    Bug(numbered_under_an_old_epoch, "have the number", seed=1),
    Bug(notification_taken_for_the_truth, "is never answered", seed=1),
)
