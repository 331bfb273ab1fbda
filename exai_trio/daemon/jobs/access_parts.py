"""What the daemon knows of those who may use it: quotas, the standing of tokens, the access log."""

import trio

from exai_trio import structs
from exai_trio.access.access_log import AccessLog
from exai_trio.access.quotas import DayTokens, Quotas
from exai_trio.observability.events import CallEnded

from ..backends import Backends
from ..connections.standings import Standings
from ..context import DaemonContext
from .call_keeping import CallKeeping


@structs.frozen(kw_only=True, eq=False)
class AccessParts:
    """Without a registry of tokens there are no `standings`. `keeping` has the calls that days are counted by."""

    keeping: CallKeeping
    quotas: Quotas
    log: AccessLog
    standings: Standings | None

    @classmethod
    def of(cls, context: DaemonContext, backends: Backends) -> "AccessParts":
        keeping = CallKeeping(backends.ended_calls, context.clock)
        return cls(
            keeping=keeping,
            quotas=(quotas := _quotas(context, keeping)),
            log=AccessLog.of(context.config.logs, backends.now, context.clock.is_trusted),
            standings=Standings(backends.tokens, backends.now, quotas.tell)
            if backends.tokens is not None
            else None,
        )

    def ended(self, call: CallEnded) -> None:
        self.keeping.note(call)
        self.quotas.note(call)


def _quotas(context: DaemonContext, keeping: CallKeeping) -> Quotas:
    async def tokens_since(at: float) -> dict[str, int]:
        await keeping.flush_calls()
        return await keeping.store.tokens_since(at)

    most = context.config.tokens_day
    return Quotas(DayTokens(tokens_since), trio.current_time, context.clock.now, tokens_day=most)
