"""Circuit breakers by name, as many as may be kept. Pure: no clock; `now` is handed in."""

from typing import Final

import attrs

from exai_trio import structs

from .breaker import Breaker

MOST_BREAKERS: Final = 256  # kept; names are the callers', so there could be any number


@structs.define
class Breakers:
    """`threshold` 0 switches them off."""

    threshold: int
    open_s: float
    known: dict[str, Breaker] = attrs.field(factory=dict[str, Breaker], init=False)

    def of(self, name: str) -> Breaker:
        if len(self.known) >= MOST_BREAKERS and name not in self.known:
            self.known = {key: kept for key, kept in self.known.items() if not kept.pristine}
        fresh = Breaker(threshold=self.threshold, open_s=self.open_s)
        return self.known.setdefault(name, fresh)

    def states(self, now: float) -> dict[str, str]:
        return {name: breaker.state(now) for name, breaker in self.known.items()}
