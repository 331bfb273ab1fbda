"""The circuit breakers of all providers, by the name of a provider or provider/model. Pure."""

from typing import Final

import attrs

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.resilience.breaker import Breaker

MOST_BREAKERS: Final = 256  # kept; names are the callers', so there could be any number


@structs.define
class Breakers:
    """`threshold` 0 switches them off."""

    threshold: int
    open_s: float
    known: dict[str, Breaker] = attrs.field(factory=dict[str, Breaker], init=False)

    @classmethod
    def of_config(cls, config: Config) -> "Breakers":
        threshold = config.circuit_breaker_threshold if config.circuit_breaker_enabled else 0
        return cls(threshold, config.circuit_breaker_timeout_secs)

    def of(self, name: str) -> Breaker:
        if len(self.known) >= MOST_BREAKERS and name not in self.known:
            self.known = {key: kept for key, kept in self.known.items() if not kept.pristine}
        fresh = Breaker(threshold=self.threshold, open_s=self.open_s)
        return self.known.setdefault(name, fresh)

    def states(self, now: float) -> dict[str, str]:
        return {name: breaker.state(now) for name, breaker in self.known.items()}
