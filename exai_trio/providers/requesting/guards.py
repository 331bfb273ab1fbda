"""The guards of requests: a breaker for each provider and model, whose moves are published, and the pauses between attempts."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.errors import ProviderError
from exai_trio.observability.events import BreakerMoved, Publish
from exai_trio.resilience.breakers import Breakers
from exai_trio.resilience.guard import Guard

if TYPE_CHECKING:  # which has guards
    from ..attempts import Listener


@structs.frozen(eq=False)
class Guards:
    """`random` is between 0 and 1."""

    breakers: Breakers
    random: Callable[[], float]
    publish: Publish

    @classmethod
    def of_config(cls, config: Config, random: Callable[[], float], publish: Publish) -> "Guards":
        threshold = config.circuit_breaker_threshold if config.circuit_breaker_enabled else 0
        return cls(Breakers(threshold, config.circuit_breaker_timeout_secs), random, publish)

    def of(self, name: str, listener: "Listener") -> Guard:
        """For requests under this breaker; the listener hears of each pause."""
        return Guard(
            name=name,
            breaker=self.breakers.of(name),
            random=self.random,
            retrying=partial(_say, listener),
            moved=partial(self.moved, name),
        )

    def moved(self, name: str, before: str, after: str) -> None:
        self.publish(BreakerMoved(breaker=name, before=before, after=after))


def _say(listener: "Listener", error: ProviderError, wait_s: float, number: int) -> None:
    listener.stage("waiting for provider", f"{error}; attempt {number} in {wait_s:.1f} s")
