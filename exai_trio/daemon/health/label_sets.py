"""The closed sets of the meters' labels: what clients name beyond them is counted as `other`."""

from collections.abc import Container, Iterable, Mapping

from exai_trio import structs
from exai_trio.errors import ExaiError
from exai_trio.observability.meters.event_meters import OK
from exai_trio.providers.gateway import Gateway
from exai_trio.providers.requesting.request_outcomes import OUTCOMES


def label_sets(tools: Iterable[str], gateway: Gateway) -> Mapping[str, Container[str]]:
    """`tools` are all that are declared, whether or not they are offered now."""
    faults: list[type[ExaiError]] = [ExaiError, *_below(ExaiError)]
    codes = {fault.code for fault in faults}
    return {
        "tool": frozenset(tools),
        "outcome": frozenset({OK, *codes, *OUTCOMES}),
        "reason": frozenset(codes),
        "category": frozenset(fault.category for fault in faults),
        "provider": _Providers(gateway),
        "model": _Models(gateway),
        "breaker": _Breakers(gateway),
    }


def _below(kind: type[ExaiError]) -> list[type[ExaiError]]:
    return [each for child in kind.__subclasses__() for each in (child, *_below(child))]


@structs.frozen(eq=False)
class _Providers:
    gateway: Gateway

    def __contains__(self, name: object) -> bool:
        return any(model.provider == name for model in self.gateway.catalogue())


@structs.frozen(eq=False)
class _Models:
    """Asked only for names that are not counted yet, so it need not be quick. No model at all is a request that asks none."""

    gateway: Gateway

    def __contains__(self, name: object) -> bool:
        return not name or any(model.name == name for model in self.gateway.catalogue())


@structs.frozen(eq=False)
class _Breakers:
    """Named by a provider, or by provider/model."""

    gateway: Gateway

    def __contains__(self, name: object) -> bool:
        provider, _, model = str(name).partition("/")
        return provider in _Providers(self.gateway) and model in _Models(self.gateway)
