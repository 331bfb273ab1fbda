"""Plain facts about one provider there could be, for health answers and the diagnostic tools. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from exai_trio.resilience.breaker import Breaker

from .endpoint import Endpoint

_MOST_MODELS: Final = 200  # a health answer is written every few seconds


def facts_of(
    endpoint: Endpoint, models: tuple[str, ...], breakers: Mapping[str, Breaker], now: float
) -> dict[str, Any]:
    """`models` are those it serves; `breakers` are of all providers, by name or by name/model."""
    return {
        "name": endpoint.name,
        "title": endpoint.dialect.title,
        "configured": endpoint.configured,
        "remedy": None if endpoint.configured else endpoint.remedy,
        "simulated": endpoint.simulated,
        "base_url": endpoint.shown_url,
        "capabilities": sorted(endpoint.dialect.capabilities),
        "models": list(models[:_MOST_MODELS]),
        "max_inflight": endpoint.max_inflight,
        "breakers": {
            name: breaker.state(now)
            for name, breaker in breakers.items()
            if name.partition("/")[0] == endpoint.name and not breaker.pristine
        },
    }
