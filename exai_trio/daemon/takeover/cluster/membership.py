"""A daemon's lease, held from its start to its end."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import ServiceUnavailableError, StorageError
from exai_trio.storage.shared.shared_calls import (
    LEASE_S,
    DaemonFacts,
    KnownDaemon,
    Renewed,
    SharedCalls,
)
from exai_trio.system.change import Change
from exai_trio.system.disk import fault_of

from .lease import RENEW_S, Lease

log = logging.getLogger("exai.cluster")

_AGAIN_S: Final = 0.5
_LEAVE_S: Final = 1.0


@structs.define(eq=False)
class Membership:
    """Made by `open_membership`. `is_leaving`: others are to see that it drains; `known` are all, as they were seen last."""

    facts: DaemonFacts
    store: SharedCalls
    lease: Lease = attrs.field(factory=Lease)
    is_leaving: bool = False
    renewed: Change = attrs.field(factory=Change)
    known: tuple[KnownDaemon, ...] = ()
    _is_first: bool = True
    _was: Renewed | None = None

    @property
    def may_serve(self) -> bool:
        return self.lease.may_serve(trio.current_time())

    @property
    def may_claim(self) -> bool:
        return self.lease.may_claim(trio.current_time())

    def told(self) -> list[dict[str, Any]]:
        return [
            {
                "name": one.facts.name,
                "address": one.facts.address,
                "version": one.facts.version,
                "draining": one.draining,
                "lease_s": round(one.lease_s, 1),
                "calls": one.running,
                "sessions": one.owned,
            }
            for one in self.known
        ]

    async def enter(self) -> None:
        """Have a lease, if the store is there. Raises ServiceUnavailableError if another living daemon has our name; a dead one is waited
        for. Cancelled, there is one or not."""
        patience = trio.current_time() + LEASE_S + RENEW_S
        while await self._renew() == "taken":
            if trio.current_time() >= patience:
                raise ServiceUnavailableError(
                    f"another daemon of this database is called {self.facts.name}; give this one another EXAI_DAEMON_NAME"
                )
            await trio.sleep(_AGAIN_S)

    async def keep(self) -> None:
        """Renew the lease until cancelled, or until another process of this home has come."""
        renewed = await self._renew()
        while renewed != "replaced":
            await trio.sleep(RENEW_S if renewed == "held" else _AGAIN_S)
            renewed = await self._renew()

    async def _renew(self) -> Renewed | None:
        """None if the store does not say."""
        sent_at = trio.current_time()
        renewed: Renewed | None = None
        try:
            with trio.move_on_after(RENEW_S):
                renewed = await self.store.renew(
                    self.facts, is_first=self._is_first, draining=self.is_leaving
                )
        except StorageError as fault:
            log.warning("lease not renewed", extra={"fault": fault.message})
        if renewed == "held":
            self.lease, self._is_first = self.lease.renewed(sent_at), False
            self.renewed.tell()
        if renewed not in (None, "held", self._was):
            log.error("lease refused", extra={"why": renewed, "daemon": self.facts.name})
        self._was = renewed
        return renewed


@asynccontextmanager
async def open_membership(facts: DaemonFacts, store: SharedCalls) -> AsyncGenerator[Membership]:
    """Raises ServiceUnavailableError as `enter` does. Leaving, or cancelling, ends the lease, for at most a second."""
    membership = Membership(facts, store)
    await membership.enter()
    async with trio.open_nursery() as keeping:
        keeping.start_soon(membership.keep)
        try:
            yield membership
        finally:
            keeping.cancel_scope.cancel(reason="the daemon has ended")
            with trio.move_on_after(_LEAVE_S, shield=True):
                await fault_of(partial(store.release, facts))
