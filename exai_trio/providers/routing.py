"""Which provider answers for a model's name. Pure.

1. `auto` or nothing: the first model of the catalogue's `auto` list, then of any further provider, then of all others, that
   a configured provider serves and that fits: it sees images if there are any, takes tools, holds the prompt.
2. A name that is gone is answered by its successor, and the choice says so.
3. A name or alias of the catalogue goes to its provider, if that is configured.
4. `provider/model` goes to that provider, and a `glm-` or `kimi-` name to GLM or Kimi, even if the catalogue does not know it.
5. A part of a name is enough, where just one model of the configured providers has it; behind `provider/` only for servers
   of this machine, of which all models are known.
6. Anything else is not found. A model of one provider is never sent to another.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Final

from exai_trio import structs
from exai_trio.errors import NotConfiguredError, NotFoundError

from .catalogue import Catalogue, ModelInfo

PREFIXES: Final[Mapping[str, str]] = {"glm-": "glm", "kimi-": "kimi"}
USUAL_WINDOW: Final = 128_000  # tokens, of models that nobody has described
_LONGEST: Final = 256  # characters of a name
_LEAST_PART: Final = 2  # letters and digits of a part of one
_MOST_NAMED: Final = 5  # models in a message
_MOST_COMPARED: Final = 1000  # names, when the nearest is looked for
ROOM_FOR_THE_ANSWER: Final = (
    0.8  # of the context window is what a prompt may fill when `auto` chooses
)


@structs.frozen(kw_only=True)
class ModelChoice:
    """Who answers. `notice` is for the user whenever that is not literally what was asked for."""

    requested: str
    provider: str
    model: ModelInfo
    notice: str | None = None


@structs.frozen(kw_only=True)
class Router:
    """`advice` has every provider that could be there, and what to set so that it is; `configured` those that are,
    `local` those of this machine."""

    catalogue: Catalogue
    configured: tuple[str, ...]
    remedies: Mapping[str, str]
    local: frozenset[str] = frozenset()

    def choose(
        self, name: str, *, images: bool = False, tools: bool = False, prompt_tokens: int = 0
    ) -> ModelChoice:
        """Raises: NotFoundError with the nearest names; NotConfiguredError naming what to set."""
        wanted = name.strip()
        if len(wanted) > _LONGEST:
            raise NotFoundError(f"no model has a name of {len(wanted)} characters")
        if wanted.lower() in {"", "auto"}:
            need = Need(images=images, tools=tools, prompt_tokens=prompt_tokens)
            return self._chosen(wanted or "auto", self._automatic(need), None)
        model, notice = self._look_up(wanted)
        if model.provider not in self.configured:
            raise self._not_configured(model.provider, wanted)
        return self._chosen(wanted, model, notice)

    def _chosen(self, requested: str, model: ModelInfo, notice: str | None) -> ModelChoice:
        if model.provider in self.local and model.context_window is None:
            notice = "; ".join(filter(None, [notice, unknown_window(model)]))
        return ModelChoice(requested=requested, provider=model.provider, model=model, notice=notice)

    def _automatic(self, need: "Need") -> ModelInfo:
        if not self.configured:
            raise self._nothing_configured()
        usable = self._usable()
        if not usable:
            raise self._nothing_listed()
        fitting = (model for model in usable if need.is_met_by(model))
        return next(fitting, None) or need.nearest(usable)

    def _usable(self) -> list[ModelInfo]:
        """In the order in which they are taken."""
        preferred = [model for model in map(self.catalogue.find, self.catalogue.auto) if model]
        models = self.catalogue.models
        further = [model for model in models if model.provider not in PREFIXES.values()]
        return [m for m in (*preferred, *further, *models) if m.provider in self.configured]

    def _look_up(self, name: str) -> tuple[ModelInfo, str | None]:
        provider, _, rest = name.partition("/")
        if rest and provider.lower() in self.remedies:
            return self._at(provider.lower(), rest)
        known = self.catalogue.find(name)
        if known is not None:
            return known, None
        gone = self._successor(name)
        if gone is not None:
            return gone
        owner = owner_by_prefix(name)
        if owner in self.configured:
            return unlisted(owner, name), None
        part = self._by_part(name, self.configured)
        if part is None and owner is None:
            raise self.not_found(name)
        return part or unlisted(owner or "", name), None

    def _by_part(self, part: str, providers: Sequence[str]) -> ModelInfo | None:
        """The one model of these providers in whose name that stands. Raises: NotFoundError if it stands in several."""
        wanted = part.lower()
        if sum(letter.isalnum() for letter in wanted) < _LEAST_PART:
            return None
        having = [
            model
            for model in self.catalogue.models
            if model.provider in providers and wanted in model.name.lower()
        ]
        latest = [model for model in having if model.name.lower() == f"{wanted}:latest"]
        if len(having) > 1 and len(latest) != 1:
            names = [f"{model.provider}/{model.name}" for model in having[:_MOST_NAMED]]
            raise NotFoundError(
                f'"{part}" is a part of {len(having)} models\' names: {", ".join(names)}'
                f"{' …' if len(having) > _MOST_NAMED else ''}. Name one of them",
                details={"model": part, "nearest": names},
            )
        return next(iter(latest or having), None)

    def _at(self, provider: str, name: str) -> tuple[ModelInfo, str | None]:
        known = self.catalogue.find_at(provider, name)
        if known is not None:
            return known, None
        successor = self._successor(name, provider)
        if successor is not None:
            return successor
        self._refuse_strangers(provider, name)
        part = self._by_part(name, (provider,)) if provider in self.local else None
        return part or unlisted(provider, name), None

    def _refuse_strangers(self, provider: str, name: str) -> None:
        """GLM and Kimi serve their own models only; what another endpoint serves is not for us to know."""
        stranger = self.catalogue.find(name)
        owner = stranger.provider if stranger else owner_by_prefix(name)
        if provider in PREFIXES.values() and owner not in {None, provider}:
            raise NotFoundError(
                f"{provider} does not serve {name}: that is a model of {owner}",
                details={"model": name},
            )

    def _successor(self, name: str, provider: str | None = None) -> tuple[ModelInfo, str] | None:
        gone = self.catalogue.successor_of(name)
        if gone is None or provider not in {None, gone.provider}:
            return None
        model = self.catalogue.find(gone.successor) or unlisted(gone.provider, gone.successor)
        since = f" since {gone.since}" if gone.since else ""
        return model, f"{name} is no longer offered{since}; {model.name} answered in its place"

    def not_found(self, name: str) -> NotFoundError:
        """What to tell who asked for a model that nobody knows."""
        known = self.catalogue.names(self.configured or self.remedies)[:_MOST_COMPARED]
        nearest = get_close_matches(name.lower(), known, n=5, cutoff=0.4) or list(known[:5])
        return NotFoundError(
            f'no model is called "{name}"; nearest: {", ".join(nearest) or "none"}. '
            "A model that is not listed can be asked as provider/model",
            details={"model": name, "nearest": nearest},
        )

    def _not_configured(self, provider: str, name: str) -> NotConfiguredError:
        return NotConfiguredError(
            f"{name} is served by {provider}, which is not configured: {self.remedies[provider]}",
            details={"model": name, "provider": provider},
        )

    def _nothing_listed(self) -> NotFoundError:
        names = ", ".join(self.configured)
        silent = " Does its server run? `exai providers test` asks it." if self.local else ""
        return NotFoundError(
            f"no model is listed for the configured providers ({names}); name one as provider/model.{silent}"
        )

    def _nothing_configured(self) -> NotConfiguredError:
        remedies = "; or ".join(self.remedies.values())
        return NotConfiguredError(
            f"no model provider is configured: {remedies}; or `exai providers add`, for a model server of this machine;"
            " or EXAI_SIMULATE=true to try EXAI without a key"
        )


def unknown_window(model: ModelInfo) -> str:
    return (
        f"how many tokens {model.name} holds is not known, and some servers (Ollama) cut a long prompt without a word: give"
        f" {model.provider} a [[provider.model]] with context_window in the providers file"
    )


def owner_by_prefix(name: str) -> str | None:
    return next(
        (owner for prefix, owner in PREFIXES.items() if name.lower().startswith(prefix)), None
    )


def unlisted(provider: str, name: str) -> ModelInfo:
    """A model of which only the name is known."""
    return ModelInfo(name=name, provider=provider, listed=False, notes="not in the catalogue")


@structs.frozen(kw_only=True)
class Need:
    """What a prompt asks of a model."""

    images: bool = False
    tools: bool = False
    prompt_tokens: int = 0

    def is_met_by(self, model: ModelInfo) -> bool:
        return self._is_able(model) and self.is_held_by(model)

    def is_held_by(self, model: ModelInfo) -> bool:
        """There is room for an answer too. A model whose window nobody knows holds what is short."""
        window = model.context_window or USUAL_WINDOW
        return self.prompt_tokens <= window * ROOM_FOR_THE_ANSWER

    def nearest(self, models: Sequence[ModelInfo]) -> ModelInfo:
        """Where none fits: the first with the largest window, of those that can do it at all."""
        able = [model for model in models if self._is_able(model)] or models
        if any(self.is_held_by(model) for model in able):
            return able[0]
        return max(able, key=lambda model: model.context_window or 0)

    def _is_able(self, model: ModelInfo) -> bool:
        takes_tools = "tools" in model.capabilities or not model.listed
        return (model.sees or not self.images) and (takes_tools or not self.tools)
