"""Which model a tool asks: the one named, else the conversation's, else the default; and what the answer says about it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from exai_trio.errors import ArgumentError, ServiceUnavailableError
from exai_trio.tools.declaration import Services

if TYPE_CHECKING:  # the shim lists tools without ever asking a model
    from exai_trio.providers.gateway import ChatAnswer, ModelChoice

# Who is asked where a provider is given and no model.
_USUAL: Mapping[str, str] = {"glm": "glm-4.6", "kimi": "kimi-k2.6"}
_USUAL_SEEING: Mapping[str, str] = {"glm": "glm-4.6v", "kimi": "kimi-k2.6"}


def choose(services: Services, named: str, last: str, *, images: bool) -> "ModelChoice":
    """The model to ask. `named` by the caller, or `last` in the conversation ("" if none); `images`: it must see.

    Raises: NotFoundError, ServiceUnavailableError, ArgumentError if the model in question does not see.
    """
    if named or last:
        choice = services.gateway.choose(named or last)
    else:
        choice = default(services, images=images)
    if images and not choice.model.sees:
        raise ArgumentError(
            f"{choice.model.name} does not see images. Name a model that does{_seeing(services)},"
            " or leave the images out.",
            details={"field": "images", "model": choice.model.name},
        )
    return choice


def of_provider(
    services: Services, provider: str, named: str, *, images: bool = False
) -> "ModelChoice":
    """A model of that provider: the one named, else its usual one.

    Raises: NotFoundError, ServiceUnavailableError, ArgumentError if the name is another provider's.
    """
    usual = _USUAL_SEEING if images else _USUAL
    choice = services.gateway.choose(named or usual.get(provider, ""))
    if choice.provider != provider:
        raise ArgumentError(
            f"{named} is a model of {choice.provider}; this asks {provider}. Leave model out, or name one of {provider}.",
            details={"field": "model", "value": named},
        )
    if images and not choice.model.sees:
        raise ArgumentError(
            f"{choice.model.name} does not see images{_seeing(services)}.",
            details={"field": "images", "model": choice.model.name},
        )
    return choice


def default(services: Services, *, images: bool) -> "ModelChoice":
    """DEFAULT_MODEL; where it cannot be asked, what the router takes for `auto`, and the choice says so."""
    default = services.config.default_model
    try:
        choice = services.gateway.choose(default)
        fault = f"{default} does not see images" if images and not choice.model.sees else ""
    except ServiceUnavailableError:
        choice, fault = None, f"{default} (DEFAULT_MODEL) is not configured"
    if choice is not None and not fault:
        return choice
    other = services.gateway.choose("auto", images=images)
    return attrs.evolve(other, notice=f"{fault}; {other.model.name} was asked instead")


def _seeing(services: Services) -> str:
    names = [model.name for model in services.gateway.models() if model.sees]
    return f" ({', '.join(names[:4])})" if names else ""


def address(choice: "ModelChoice") -> str:
    """The model's full name, the same for every turn that it answers."""
    return f"{choice.provider}/{choice.model.name}"


def facts(answer: "ChatAnswer", named: str) -> dict[str, Any]:
    """What an answer's metadata says of the model; `named` is what the caller asked for, "" if nothing."""
    found: dict[str, Any] = {"model_used": answer.model_used, "provider_used": answer.provider}
    if named and named != answer.model_used:
        found["model_requested"] = named
    if answer.cut:
        found["partial"] = True
    if answer.notice:
        found["notice"] = answer.notice
    if answer.simulated:
        found["simulated"] = True
    if answer.web_results:
        found["sources"] = [_source(result) for result in answer.web_results]
    return found


def served_by(services: Services, provider: str) -> dict[str, Any]:
    """What the metadata of an answer says that came from a provider without any model."""
    simulated = any(
        known["name"] == provider and known.get("simulated")
        for known in services.gateway.providers()
    )
    return {"provider_used": provider, **({"simulated": True} if simulated else {})}


def _source(result: Mapping[str, Any]) -> dict[str, Any]:
    return {key: result[key] for key in ("title", "link") if result.get(key)}


def usage(answer: "ChatAnswer") -> dict[str, Any]:
    return {
        "input_tokens": answer.usage.input_tokens,
        "output_tokens": answer.usage.output_tokens,
        "cached_tokens": answer.usage.cached_tokens,
        "cost_usd": answer.cost if answer.currency == "USD" else None,
        "currency": answer.currency,
    }
