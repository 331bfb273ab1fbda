"""What the daemon knows of those who may use it: quotas, the standing of tokens, the access log."""

from typing import Protocol

import trio

from exai_trio import structs
from exai_trio.access.access_log import AccessLog
from exai_trio.access.quotas import DayTokens, Quotas
from exai_trio.access.redis_registry import RedisRegistry
from exai_trio.access.token_registry import TokenRegistry
from exai_trio.observability.events import CallEnded

from ..context import DaemonContext
from .standings import Standings


class KeptCalls(Protocol):
    """The calls that are kept, by which days are counted."""

    def note(self, call: CallEnded) -> None: ...

    async def tokens_since(self, at: float) -> dict[str, int]:
        """Raises StorageError. Cancelling leaves nothing behind."""
        ...


@structs.frozen(kw_only=True, eq=False)
class AccessParts:
    """Without a registry of tokens there are no `standings`."""

    quotas: Quotas
    log: AccessLog
    standings: Standings | None

    kept: KeptCalls

    @classmethod
    def of(
        cls, context: DaemonContext, registry: TokenRegistry | None, kept: KeptCalls
    ) -> "AccessParts":
        clock = context.clock
        rates = registry if isinstance(registry, RedisRegistry) else None
        quotas = Quotas(
            DayTokens(kept.tokens_since),
            trio.current_time,
            clock.now,
            tokens_day=context.config.tokens_day,
            rates=rates,
        )
        return cls(
            quotas=quotas,
            kept=kept,
            log=AccessLog.of(context.config.logs, clock.now, clock.is_trusted),
            standings=None if registry is None else Standings(registry, clock.now, quotas.tell),
        )

    def ended(self, call: CallEnded) -> None:
        self.kept.note(call)
        self.quotas.note(call)
