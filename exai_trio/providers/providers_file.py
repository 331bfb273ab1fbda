"""EXAI_PROVIDERS_FILE: further OpenAI-compatible endpoints, and prices for models that are known. Pure: text in, values out.

    [[provider]]
    name = "openrouter"                       # asked for as openrouter/MODEL
    base_url = "https://openrouter.ai/api/v1"
    key_variable = "OPENROUTER_API_KEY"       # left out: the endpoint wants no key
    max_inflight = 4                          # requests at once
    first_byte_s = 30                         # of an address of this machine: 600
    stream_s = 300                            # likewise

    [[provider.model]]
    name = "some/model"
    context_window = 128_000
    price = { input = 1.0, output = 3.0, currency = "USD" }   # per million tokens

A provider called glm or kimi changes what is known of their models and takes `model` only.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs
import msgspec

from exai_trio import structs
from exai_trio.errors import ArgumentError
from exai_trio.settings.urls import without_password

from .catalogue import Catalogue, ModelInfo, Price
from .dialects.generic import plain_dialect
from .endpoint import Endpoint, Limits

VARIABLE: Final = "EXAI_PROVIDERS_FILE"
BUILT_IN: Final = frozenset({"glm", "kimi"})
_REMOTE: Final = (30.0, 300.0)  # seconds to the first byte, and of a whole stream
LOCAL_S: Final = 600.0  # of either, and between bytes: a CPU reads some 75 tokens a second
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")


@structs.frozen(kw_only=True)
class _Provider:
    name: str
    base_url: str = ""
    key_variable: str = ""
    max_inflight: int = 4  # the default of a field of the providers file
    first_byte_s: float | None = None
    stream_s: float | None = None
    model: tuple[dict[str, Any], ...] = ()


@structs.frozen(kw_only=True)
class Further:
    """What the file adds."""

    endpoints: tuple[Endpoint, ...] = ()
    models: tuple[ModelInfo, ...] = ()


def parse_providers(
    text: str,
    catalogue: Catalogue,
    keys: Mapping[str, str],
    idle_s: float,
    withheld: frozenset[str] = frozenset(),
) -> Further:
    """`withheld` are variables that are set, but not for this file.

    Raises: ArgumentError, naming the setting and every fault of the file it can name.
    """
    try:
        raw = tomllib.loads(text)
        listed = msgspec.convert(raw.pop("provider", []), list[dict[str, Any]])
        _refuse_unknown("the file", raw, frozenset())
        providers = [_provider(entry) for entry in listed]
        _refuse_twins([provider.name for provider in providers])
        models = tuple(model for provider in providers for model in _models(provider, catalogue))
        further = [provider for provider in providers if provider.name not in BUILT_IN]
        _refuse_withheld({provider.key_variable for provider in further} & withheld)
        return Further(
            endpoints=tuple(_endpoint(entry, keys, idle_s) for entry in further), models=models
        )
    except ValueError as error:  # tomllib's and msgspec's errors are ValueErrors
        raise ArgumentError(f"{VARIABLE}: {error}", details={"field": VARIABLE}) from error


def _provider(entry: dict[str, Any]) -> _Provider:
    _refuse_unknown("[[provider]]", entry, _fields(_Provider))
    provider = msgspec.convert(entry, _Provider)
    if not _NAME.fullmatch(provider.name):
        raise ValueError(
            f'"{without_password(provider.name)}" is no provider name: small letters, digits, _ and -, at most 32'
        )
    if provider.name in BUILT_IN:
        _refuse_unknown(provider.name, entry, frozenset({"name", "model"}))
    elif not provider.base_url.startswith(("http://", "https://")):
        raise ValueError(f"{provider.name}: base_url must begin with http:// or https://")
    limits = [each for each in (provider.first_byte_s, provider.stream_s) if each is not None]
    if min([provider.max_inflight, *limits]) <= 0:
        raise ValueError(
            f"{provider.name}: max_inflight, first_byte_s and stream_s must be above 0"
        )
    return provider


def _endpoint(provider: _Provider, keys: Mapping[str, str], idle_s: float) -> Endpoint:
    endpoint = Endpoint(
        name=provider.name,
        base_url=provider.base_url,
        key=keys.get(provider.key_variable, ""),
        dialect=plain_dialect(provider.name),
        limits=_limits(provider, _REMOTE, idle_s),
        max_inflight=provider.max_inflight,
        remedy=f"set {provider.key_variable}, which {VARIABLE} names for {provider.name}",
        needs_key=bool(provider.key_variable),
    )
    if not endpoint.local:
        return endpoint
    slow = _limits(provider, (LOCAL_S, LOCAL_S), max(idle_s, LOCAL_S))
    return attrs.evolve(endpoint, limits=slow)


def _limits(provider: _Provider, usual: tuple[float, float], idle_s: float) -> Limits:
    first_byte_s = usual[0] if provider.first_byte_s is None else provider.first_byte_s
    stream_s = usual[1] if provider.stream_s is None else provider.stream_s
    return Limits(first_byte_s=first_byte_s, idle_s=idle_s, stream_s=stream_s)


def _models(provider: _Provider, catalogue: Catalogue) -> Iterator[ModelInfo]:
    """Each model of the entry; what it leaves out stays as the catalogue has it, if the catalogue knows the model."""
    for entry in provider.model:
        _refuse_unknown(
            f"a model of {provider.name}",
            entry,
            _fields(ModelInfo) - {"provider", "listed", "served_as"},
        )
        price = msgspec.convert(entry.get("price", {}), dict[str, Any])
        _refuse_unknown("price", price, _fields(Price))
        given = msgspec.convert({**entry, "provider": provider.name}, ModelInfo)
        known = catalogue.find_at(provider.name, given.name)
        yield attrs.evolve(known, **{key: getattr(given, key) for key in entry}) if known else given


def _fields(record: type) -> frozenset[str]:
    return frozenset(attrs.fields_dict(record))


def _refuse_unknown(where: str, entry: Mapping[str, Any], known: frozenset[str]) -> None:
    unknown = sorted(entry.keys() - known)
    if unknown:
        raise ValueError(
            f"{where}: unknown {', '.join(unknown)}"
            + (f"; known: {', '.join(sorted(known))}" if known else "")
        )


def _refuse_withheld(names: frozenset[str] | set[str]) -> None:
    if names:
        raise ValueError(
            f"{', '.join(sorted(names))} of the environment is not sent to addresses of this file, since a .env that was merely"
            f" found in the working directory names it: set {VARIABLE} in the environment too; or, if the .env is yours, name"
            " it in ENV_FILE"
        )


def _refuse_twins(names: list[str]) -> None:
    twins = sorted({name for name in names if names.count(name) > 1})
    if twins:
        raise ValueError(f"{', '.join(twins)}: named twice")
