"""The models EXAI knows: records and look-up. Pure but for reading the data file that ships beside it."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import attrs
import msgspec

from exai_trio import structs

from .base import OfferedModel

ThinkingStyle = Literal["none", "always", "toggle", "effort", "toggle_effort"]

PER_PRICE = 1_000_000  # tokens
KIMI_OUTPUT_DEFAULT = 32_768  # tokens, as in the data file


@structs.frozen(kw_only=True)
class Price:
    """Money per million tokens. Without a price of their own, cached tokens cost what other input costs."""

    input: float
    output: float
    cached: float | None = None
    currency: str = "USD"

    def of(self, input_tokens: int, output_tokens: int, cached_tokens: int) -> float:
        cached = min(cached_tokens, input_tokens)
        cached_price = self.input if self.cached is None else self.cached
        paid = (
            (input_tokens - cached) * self.input
            + cached * cached_price
            + output_tokens * self.output
        )
        return paid / PER_PRICE


@structs.frozen(kw_only=True)
class ModelInfo:
    """One model of one provider. Limits are tokens, None if unknown. `listed` is false for a name passed through."""

    name: str
    provider: str
    aliases: tuple[str, ...] = ()
    context_window: int | None = None
    output_limit: int | None = None
    output_default: int | None = None
    thinking: ThinkingStyle = "none"
    capabilities: tuple[str, ...] = ()
    price: Price | None = None
    notes: str = ""
    listed: bool = True
    served_as: str = ""  # what its server calls it, where that is not the name

    @property
    def sees(self) -> bool:
        """Whether images may be sent; a model nobody has described gets the benefit of the doubt."""
        return "vision" in self.capabilities or not self.listed


@structs.frozen(kw_only=True)
class Gone:
    """Names, also patterns, that a provider no longer answers, and who answers instead."""

    names: tuple[str, ...]
    provider: str
    successor: str
    since: str = ""

    def covers(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.names)


@structs.frozen(kw_only=True)
class Catalogue:
    """All models, in the file's order, and the largest file that a provider takes, in bytes. Names are unique across providers; looking up ignores case."""

    models: tuple[ModelInfo, ...]
    gone: tuple[Gone, ...] = ()
    auto: tuple[str, ...] = ()
    file_limits: Mapping[str, int] = attrs.field(factory=dict[str, int])
    _by_name: Mapping[str, ModelInfo] = attrs.field(
        init=False,
        repr=False,
        eq=False,
        default=attrs.Factory(lambda self: _index(self.models), takes_self=True),
    )

    def find(self, name: str) -> ModelInfo | None:
        return self._by_name.get(name.lower())

    def find_at(self, provider: str, name: str) -> ModelInfo | None:
        """The model of that name at that provider: two further endpoints may well serve models of one name."""
        wanted = name.lower()
        for model in self.models:
            if model.provider == provider and wanted in {
                model.name.lower(),
                model.served_as.lower(),
                *map(str.lower, model.aliases),
            }:
                return model
        return None

    def successor_of(self, name: str) -> Gone | None:
        return next((gone for gone in self.gone if gone.covers(name.lower())), None)

    def names(self, providers: Iterable[str]) -> tuple[str, ...]:
        """Every name, aliases included, under which these providers' models can be asked."""
        wanted = frozenset(providers)
        models = [model for model in self.models if model.provider in wanted]
        return tuple(name for model in models for name in (model.name, *model.aliases))

    def with_models(self, more: Iterable[ModelInfo]) -> "Catalogue":
        """The same with these models added, or put in the place of those of the same name and provider."""
        merged = {(model.provider, model.name): model for model in self.models}
        merged.update({(model.provider, model.name): model for model in more})
        return attrs.evolve(self, models=tuple(merged.values()))


def last_part(name: str) -> str:
    """The name; of one that is a file's path, the file's name."""
    is_path = name.startswith(("/", "~", "\\", ".")) or name.endswith(".gguf") or name[1:3] == ":\\"
    return re.split(r"[/\\]", name.rstrip("/\\"))[-1] if is_path else name


def _index(models: tuple[ModelInfo, ...]) -> dict[str, ModelInfo]:
    """The earlier entry wins, so that a further endpoint cannot take over a name that is GLM's or Kimi's."""
    last_first = models[::-1]
    by_alias = {alias.lower(): model for model in last_first for alias in model.aliases}
    return by_alias | {model.name.lower(): model for model in last_first}


def parse_catalogue(text: str) -> Catalogue:
    """Raises: ValueError (of which msgspec's and tomllib's errors are kinds) if the text is no catalogue."""
    raw: dict[str, Any] = tomllib.loads(text)
    return Catalogue(
        models=msgspec.convert(raw.get("model", []), tuple[ModelInfo, ...]),
        gone=msgspec.convert(raw.get("gone", []), tuple[Gone, ...]),
        auto=msgspec.convert(raw.get("auto", []), tuple[str, ...]),
        file_limits=msgspec.convert(raw.get("file_limits", {}), dict[str, int]),
    )


def load_catalogue() -> Catalogue:
    """The catalogue that ships with EXAI."""
    return parse_catalogue(Path(__file__).with_name("models.toml").read_text("utf-8"))


def described(offered: tuple[OfferedModel, ...], catalogue: Catalogue) -> tuple[ModelInfo, ...]:
    """What Kimi's own list says, on top of what the catalogue knows."""
    return tuple(_merged(model, catalogue.find_at("kimi", model.name)) for model in offered)


def _merged(model: OfferedModel, known: ModelInfo | None) -> ModelInfo:
    if known is not None:
        return attrs.evolve(known, context_window=model.context_window or known.context_window)
    said = {"thinking": model.reasons, "vision": model.sees_images, "tools": True}
    return ModelInfo(
        name=model.name,
        provider="kimi",
        context_window=model.context_window,
        output_default=KIMI_OUTPUT_DEFAULT,
        capabilities=tuple(name for name, there in said.items() if there),
        notes="from the provider's own list",
    )
