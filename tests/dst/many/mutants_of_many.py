"""Bugs to be planted among many daemons: each is a promise broken in one place, for the length of a block."""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager

import attrs
from shared_in_memory import SharedTables
from universe.planting import Bug, instead

from exai_trio.daemon.takeover.cluster import cluster
from exai_trio.daemon.takeover.cluster.lease import Lease
from exai_trio.daemon.takeover.cluster.permit_shares import PermitShares

_SET_BACK_S = 20.0


def outcome_without_fence() -> AbstractContextManager[None]:
    """The store takes an outcome of whoever brings one."""

    def made(original):
        def finish(self, mine, name, outcome, *fence):
            row = self.calls.get(name)
            if row is not None and fence != (0, 0):
                row.call, row.executor = attrs.evolve(row.call, outcome=None), mine
            return original(self, mine, name, outcome, fence[0], -1 if row else 0)

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
    """A daemon is dealt its fair share, whatever it has in use."""

    def made(original):
        def asked(self, name, lane, fair):
            ask = original(self, name, lane, fair)
            return attrs.evolve(ask, holds=min(ask.holds, fair), share=fair)

        return asked

    return instead(PermitShares, "_asked", made)


def numbered_under_an_old_epoch() -> AbstractContextManager[None]:
    """Whoever once had a session numbers its frames on."""
    return instead(SharedTables, "owns", lambda _original: lambda *_asked: True)


@contextmanager
def notification_taken_for_the_truth() -> Generator[None]:
    """What nobody tells is not looked for, whatever time has passed and whosever lease has ended."""
    with (
        instead(cluster, "LOOK_S", lambda _original: 10_000.0),
        instead(cluster, "next_end_s", lambda _original: lambda _leases: 10_000.0),
    ):
        yield


BUGS = (
    Bug(outcome_without_fence, "is answered 2 times", seed=8),
    Bug(lease_by_ones_own_wall_clock, "is claimed while it runs", seed=1),
    Bug(claim_at_once_after_an_outage, "though its daemon lived and was in touch", seed=3),
    Bug(share_taken_from_a_holder, "requests at once", seed=5),
    Bug(numbered_under_an_old_epoch, "runs 2 times", seed=4),
    Bug(notification_taken_for_the_truth, "after it was stored", seed=32),
)
