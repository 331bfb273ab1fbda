"""The gateway to all providers: who answers, under which permits and guard, and what it cost."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from random import SystemRandom
from typing import Any, Final, TypeVar

import attrs
import trio

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.errors import NotConfiguredError, ProviderError, ProviderRefusedError
from exai_trio.observability.events import Publish
from exai_trio.observability.redaction import KnownSecrets

from .adapter import Adapter
from .adaptive_limit import AdaptiveLimit, Permits
from .answers import search_rounds
from .answers.accumulator import Assembly, ChatAnswer
from .attempts import Deaf, LimitedProvider, Listener, Round, to_nobody
from .base import ChatRequest, Provider
from .catalogue import Catalogue, ModelInfo, described, load_catalogue
from .dialects.preview import preview
from .endpoint import Endpoint, built_in
from .local_servers.known_models import KnownModels
from .openai_compatible import Service
from .provider_facts import facts_of
from .providers_file import VARIABLE
from .read_providers import read_further
from .refusals.provider_errors import bad_answer
from .requesting.guards import Guards
from .routing import ModelChoice, Router, unlisted

__all__ = ["ChatAnswer", "Gateway", "Listener", "ModelChoice", "Permits", "open_gateway"]

T = TypeVar("T")
log = logging.getLogger("exai.providers")

MOST_SEARCHES: Final = 5  # rounds in which a model may ask us to let it search the web
REFRESH_S: Final = 10.0
CLOSE_S: Final = 2.0
NO_KEYS: Final[Mapping[str, str]] = {}


Describe = Callable[[str], ModelInfo]
Connect = Callable[[Service, Describe], Provider]


def _adapter(service: Service, describe: Describe) -> Provider:
    return Adapter(service=service, describe=describe)


@structs.define(kw_only=True)
class Gateway:
    """What the tools see of all providers. Made by `open_gateway`, which also ends it."""

    _config: Config = attrs.field(alias="config")
    _endpoints: tuple[Endpoint, ...] = attrs.field(alias="endpoints")
    _catalogue: Catalogue = attrs.field(alias="catalogue")
    _connect: Connect = attrs.field(alias="connect", default=_adapter)
    _publish: Publish = attrs.field(alias="publish", default=to_nobody)
    _random: Callable[[], float] = attrs.field(
        alias="random", factory=lambda: SystemRandom().random
    )
    _services: dict[str, Service] = attrs.field(factory=dict[str, Service], init=False)
    _limited: dict[str, LimitedProvider] = attrs.field(
        factory=dict[str, LimitedProvider], init=False
    )
    guards: Guards = attrs.field(init=False)
    _local: KnownModels = attrs.field(init=False)
    _whole: Catalogue = attrs.field(init=False)  # with what local servers have
    file_limits: Mapping[str, int] = attrs.field(init=False)  # bytes, by provider

    def __attrs_post_init__(self) -> None:
        self._local, self._whole = KnownModels.of(self._endpoints), self._catalogue
        self.file_limits = self._catalogue.file_limits
        self.guards = Guards.of_config(self._config, self._random, self._publish)
        for endpoint in self._endpoints:
            if endpoint.configured:
                self._add_limited(endpoint)

    def __repr__(self) -> str:
        return f"<Gateway providers={','.join(self._limited) or 'none'} breakers={len(self.guards.breakers.known)}>"

    def choose(
        self, model: str, *, images: bool = False, tools: bool = False, prompt_tokens: int = 0
    ) -> ModelChoice:
        """Who answers for that name; "auto" or "" lets the rules of `routing` choose, by what the prompt needs.

        Raises: NotFoundError with the nearest names; ServiceUnavailableError naming what to set.
        """
        return self._router().choose(model, images=images, tools=tools, prompt_tokens=prompt_tokens)

    @property
    def keys(self) -> KnownSecrets:
        """Those of all providers, to be kept out of every text."""
        return KnownSecrets.of(each.key for each in self._endpoints if not each.simulated)

    def _router(self) -> Router:
        return Router(
            catalogue=self._whole,
            configured=tuple(self._limited),
            remedies={endpoint.name: endpoint.remedy for endpoint in self._endpoints},
            local=self._local.providers,
        )

    async def chat(
        self, choice: ModelChoice, request: ChatRequest, listener: Listener
    ) -> ChatAnswer:
        """Ask the chosen model; the request's own `model` does not matter. Chunks go to the listener as they come.

        Raises: ProviderError; NotFoundError for a model that the provider does not know; ArgumentError for images to a model
        that sees none. Cancelling ends the request at once.
        """
        search_rounds.refuse_unseen_images(choice.model, request.messages, self.models())
        try:
            return await self._rounds(choice, request, listener)
        except ProviderRefusedError as refusal:
            if refusal.details.get("reason") == "unknown_model":
                raise self._router().not_found(choice.requested) from refusal
            raise

    async def _rounds(
        self, choice: ModelChoice, request: ChatRequest, listener: Listener
    ) -> ChatAnswer:
        limited = self._limited_provider(choice.provider)
        request = attrs.evolve(request, model=choice.model.name)
        parts: list[Assembly] = []
        for number in range(MOST_SEARCHES):
            part = await self._round(
                limited,
                choice.model,
                attrs.evolve(request, idempotency_key=search_rounds.key_of_round(request, number)),
                listener,
            )
            parts.append(part)
            if not search_rounds.asks_for_own_search(part, limited.endpoint):
                whole = search_rounds.whole_answer(choice, limited.endpoint, parts)
                return search_rounds.without_keys(whole, limited.keys)
            listener.stage("thinking", f"{request.model} searches the web")
            request = search_rounds.continued(request, part)
        title = limited.endpoint.dialect.title
        raise bad_answer(
            title,
            f"{request.model} asked for more than {MOST_SEARCHES} web searches",
            "too_many_searches",
        )

    async def ask(
        self,
        provider: str,
        request: Callable[[Provider], Awaitable[T]],
        listener: Listener,
        *,
        repeatable: bool = True,
    ) -> T:
        """Anything but chat: `await gateway.ask("kimi", lambda kimi: kimi.list_files(), caller)`.

        Under the provider's permits; tried again like a chat if it is `repeatable` (an upload is not). Cancelling closes the
        request's socket; whether the provider acted on it stays unknown."""
        limited = self._limited_provider(provider)
        if not repeatable:
            return await limited.once(request, listener)
        guard = self.guards.of(provider, listener)
        return await guard.run(lambda _: limited.once(request, listener))

    def account(self, provider: str) -> str:
        """What tells the provider's key from another; files belong to it. Raises: ServiceUnavailableError."""
        return self._limited_provider(provider).endpoint.account

    def preview(self, request: ChatRequest) -> dict[str, Any]:
        """The body that GLM would be sent, configured or not; nothing is sent. Raises: NotFoundError, ArgumentError."""
        return preview(self._endpoints, self._whole, request)

    def catalogue(self) -> tuple[ModelInfo, ...]:
        return self._whole.models

    def models(self) -> tuple[ModelInfo, ...]:
        return tuple(model for model in self._whole.models if model.provider in self._limited)

    def limits(self) -> dict[str, AdaptiveLimit]:
        return {name: limited.adaptive_limit for name, limited in self._limited.items()}

    def permits(self) -> dict[str, Permits]:
        return {name: limit.view() for name, limit in self.limits().items()}

    def breakers(self) -> dict[str, str]:
        """The state of each, by provider or provider/model."""
        return self.guards.breakers.states(trio.current_time())

    def providers(self) -> tuple[dict[str, Any], ...]:
        """Plain facts about every provider there could be; what is wrong with it stands in `breakers` and `remedy`."""
        return tuple(self._facts(endpoint) for endpoint in self._endpoints)

    async def warm_up(self) -> None:
        """Build the clients and refresh the models; failures are only logged. Cancelling leaves the clients that are built."""
        for service in self._services.values():
            try:
                await service.wait_ready()
            except ProviderError as error:
                log.warning(
                    "provider not usable",
                    extra={"provider": service.endpoint.name, "fault": str(error)},
                )
        await self.refresh_models()

    async def load(self) -> None:
        """The import and the clients alone. What is wrong with a provider is said by `warm_up`, and by calls."""
        for service in self._services.values():
            with suppress(ProviderError):  # audit: suppress, because `warm_up` and calls say it
                await service.wait_ready()

    async def look_again(self) -> None:
        """Know what local servers have now; at once where there is none, or asked lately. Raises nothing; cancelling changes nothing."""
        if await self._local.refresh():
            self._whole = self._local.added_to(self._catalogue)

    async def refresh_models(self) -> None:
        """Ask local servers and Kimi for their lists: new models join the catalogue. Cancelling leaves Kimi's as they were."""
        await self.look_again()
        limited = self._limited.get("kimi")
        if limited is None:
            return
        try:
            with trio.move_on_after(REFRESH_S):
                offered = await limited.once(lambda kimi: kimi.list_models(), Deaf(self._publish))
                self._catalogue = self._catalogue.with_models(described(offered, self._catalogue))
                self._whole = self._local.added_to(self._catalogue)
        except ProviderError as error:
            log.info("model list not refreshed", extra={"provider": "kimi", "fault": str(error)})

    async def aclose(self) -> None:
        """Closes every connection. Cancelling closes the one at hand at once and leaves the others open."""
        for service in self._services.values():
            await service.aclose()

    def _add_limited(self, endpoint: Endpoint) -> None:
        def describe(model: str) -> ModelInfo:
            return self._whole.find_at(endpoint.name, model) or unlisted(endpoint.name, model)

        service = Service(endpoint=endpoint)
        self._services[endpoint.name] = service
        self._limited[endpoint.name] = LimitedProvider(
            endpoint=endpoint,
            provider=self._connect(service, describe),
            adaptive_limit=AdaptiveLimit(configured=endpoint.max_inflight),
            keys=self.keys,
        )

    def _limited_provider(self, provider: str) -> LimitedProvider:
        limited = self._limited.get(provider)
        if limited is not None:
            return limited
        remedies = [endpoint.remedy for endpoint in self._endpoints if endpoint.name == provider]
        what_to_do = remedies[0] if remedies else f"name it in {VARIABLE}"
        raise NotConfiguredError(
            f"{provider} is not configured: {what_to_do}", details={"provider": provider}
        )

    async def _round(
        self, limited: LimitedProvider, model: ModelInfo, request: ChatRequest, listener: Listener
    ) -> Assembly:
        name = f"{limited.endpoint.name}/{request.model}"
        guard = self.guards.of(name, listener)
        asked = Round(limited=limited, model=model, request=request, listener=listener)
        return await asked.under(guard)

    def _facts(self, endpoint: Endpoint) -> dict[str, Any]:
        served = tuple(m.name for m in self._whole.models if m.provider == endpoint.name)
        return facts_of(endpoint, served, self.guards.breakers.known, trio.current_time())


@asynccontextmanager
async def open_gateway(
    config: Config,
    *,
    simulator_url: str | None = None,
    environ: Mapping[str, str] = NO_KEYS,
    publish: Publish = to_nobody,
) -> AsyncGenerator[Gateway]:
    """The providers that the settings name; with `simulator_url` GLM and Kimi are that simulator.
    `environ` is looked at for the keys that EXAI_PROVIDERS_FILE names, besides `config.provider_keys`.
    Raises: ArgumentError for a providers file that cannot be used. Leaving (cancelled too) closes all.
    """
    catalogue = load_catalogue()
    further = await read_further(config, catalogue, environ)
    gateway = Gateway(
        config=config,
        endpoints=(*built_in(config, simulator_url), *further.endpoints),
        catalogue=catalogue.with_models(further.models),
        publish=publish,
    )
    try:
        yield gateway
    finally:
        with trio.move_on_after(CLOSE_S, shield=True):
            await gateway.aclose()
