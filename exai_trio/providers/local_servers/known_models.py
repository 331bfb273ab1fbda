"""The models of the local servers among the providers, asked for again whenever a call needs them and they are no longer fresh."""

import math
from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import Final

import attrs
import trio

from exai_trio import structs
from exai_trio.providers.base import OfferedModel
from exai_trio.providers.catalogue import Catalogue, ModelInfo, last_part
from exai_trio.providers.endpoint import Endpoint

from .addresses import address_of
from .look import LIST_S, look

FRESH_S: Final = 5.0
FIRST_S: Final = 3.0  # the machine may be busy, and without an answer there is no model to be asked


@structs.define(kw_only=True)
class KnownModels:
    """What each server said when it was asked last; one that does not answer keeps what it had."""

    _endpoints: tuple[Endpoint, ...] = attrs.field(alias="endpoints")
    _offered: dict[str, tuple[OfferedModel, ...]] = attrs.field(
        factory=dict[str, tuple[OfferedModel, ...]], init=False
    )
    _asked_at: float = attrs.field(default=-math.inf, init=False)
    _asking: trio.Lock = attrs.field(factory=trio.Lock, init=False)

    @classmethod
    def of(cls, endpoints: Iterable[Endpoint]) -> "KnownModels":
        return cls(endpoints=tuple(each for each in endpoints if each.local and each.configured))

    @property
    def providers(self) -> frozenset[str]:
        return frozenset(endpoint.name for endpoint in self._endpoints)

    async def refresh(self) -> bool:
        """Ask those that were not asked in the last FRESH_S, all at once; whether they were asked. Takes less than a second for
        whoever hangs, and FIRST_S for who has never answered; raises nothing. Cancelling leaves what was known."""
        if not self._endpoints:
            return False
        async with self._asking:
            if trio.current_time() < self._asked_at + FRESH_S:
                return False
            async with trio.open_nursery() as looks:
                for endpoint in self._endpoints:
                    looks.start_soon(self._ask, endpoint)
            self._asked_at = trio.current_time()
            return True

    async def _ask(self, endpoint: Endpoint) -> None:
        address = address_of(endpoint.base_url)
        list_s = LIST_S if endpoint.name in self._offered else FIRST_S
        server = None if address is None else await look(address, endpoint.key, list_s=list_s)
        if server is not None and (server.models or not server.wants_key):
            self._offered[endpoint.name] = server.models

    def added_to(self, catalogue: Catalogue) -> Catalogue:
        """The catalogue with these models; what it says of one that it has goes before what the server says."""
        found = [
            model
            for provider, offered in self._offered.items()
            for model in map(partial(_merged, catalogue), described(provider, offered))
        ]
        return catalogue.with_models(found) if found else catalogue


def described(provider: str, offered: tuple[OfferedModel, ...]) -> tuple[ModelInfo, ...]:
    """Models as a server offers them. A path is called by its last part, unless that is two models' name."""
    shown = Counter(last_part(model.name) for model in offered)
    return tuple(
        _described(provider, model, unique=shown[last_part(model.name)] == 1) for model in offered
    )


def _described(provider: str, model: OfferedModel, *, unique: bool) -> ModelInfo:
    name = last_part(model.name) if unique else model.name
    return ModelInfo(
        name=name,
        provider=provider,
        context_window=model.context_window,
        capabilities=("tools", "vision") if model.sees_images else ("tools",),
        listed=model.sees_images is not None,
        served_as="" if name == model.name else model.name,
        notes="as its server says",
    )


def _merged(catalogue: Catalogue, model: ModelInfo) -> ModelInfo:
    known = catalogue.find_at(model.provider, model.name)
    if known is None:
        return model
    window = known.context_window or model.context_window
    capabilities = known.capabilities or model.capabilities
    return attrs.evolve(
        known, context_window=window, capabilities=capabilities, served_as=model.served_as
    )
