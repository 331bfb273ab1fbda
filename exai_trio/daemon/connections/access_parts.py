"""What the daemon knows of those who may use it: quotas, the standing of tokens, the access log."""

import trio

from exai_trio import structs
from exai_trio.access.access_log import AccessLog
from exai_trio.access.kept_logins import LoginStore
from exai_trio.access.quotas import DayTokens, Quotas, TokensSince
from exai_trio.access.redis_registry import RedisRegistry
from exai_trio.access.token_registry import TokenRegistry
from exai_trio.observability.event_hub import EventHub
from exai_trio.observability.events import CallEnded
from exai_trio.observability.meters.meter_set import Meters

from ..context import DaemonContext
from .auth import Authentication, Tokens
from .standings import Standings


@structs.frozen(kw_only=True, eq=False)
class AccessParts:
    """Without a registry of tokens there are no `standings`."""

    quotas: Quotas
    log: AccessLog
    standings: Standings | None

    @classmethod
    def of(
        cls, context: DaemonContext, registry: TokenRegistry | None, tokens_since: TokensSince
    ) -> "AccessParts":
        clock = context.clock
        quotas = Quotas(
            DayTokens(tokens_since),
            trio.current_time,
            clock.now,
            tokens_day=context.config.tokens_day,
            rates=registry if isinstance(registry, RedisRegistry) else None,
        )
        return cls(
            quotas=quotas,
            log=AccessLog.of(context.config.logs, clock.now, clock.is_trusted),
            standings=None
            if registry is None
            else Standings(
                registry,
                clock.now,
                quotas.tell,
                lambda: context.config.takes_jwt or context.config.keys_file.exists(),
            ),
        )

    def authentication(self, tokens: Tokens, logins: LoginStore | None) -> Authentication:
        """By which everybody is known who comes."""
        return Authentication(tokens, standings=self.standings, log=self.log, logins=logins)

    def attach(self, events: EventHub, meters: Meters) -> None:
        """From now on each ended call counts, and the meters have what is spent."""
        events.add("quotas", {CallEnded: self.quotas.note})
        meters.read("budget_spent_ratio", self.quotas.share_spent)
