"""Which model a tool asks: the one named, else the conversation's, else the default; and what the answer says about it."""

from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, Any

import attrs

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.errors import ArgumentError, NotFoundError, ServiceUnavailableError
from exai_trio.tools.base import Services
from exai_trio.tools.prompts.context_window import ANSWER_SHARE

if TYPE_CHECKING:  # the shim lists tools without ever asking a model
    from exai_trio.providers.catalogue import ModelInfo
    from exai_trio.providers.gateway import ChatAnswer, ModelChoice

_MOST_NAMES = 4
_LONG = 2_000  # estimated tokens; no server has a smaller window unless it is told to
_SURELY_CUT = 0.5  # of the estimate, which is on the safe side, but not so much
_OURS = Config().default_model

# Who is asked where a provider is given and no model.
_USUAL: Mapping[str, str] = {"glm": "glm-4.6", "kimi": "kimi-k2.6"}
_USUAL_SEEING: Mapping[str, str] = {"glm": "glm-4.6v", "kimi": "kimi-k2.6"}


@structs.frozen(kw_only=True)
class Need:
    """What a question asks of the model: to see images, to call tools, to hold so many estimated tokens.

    `wished` are the tokens of all that could be shown. `auto` looks for room for that; a model that is set is taken if it
    holds the question, and files and history are left out.
    """

    images: bool = False
    tools: bool = False
    tokens: int = 0
    wished: int = 0


NOTHING = Need()


def choose(services: Services, named: str, last: str, need: Need = NOTHING) -> "ModelChoice":
    """The model to ask. `named` by the caller, or `last` in the conversation ("" if none); `auto` and nothing are chosen by
    what is needed.

    Raises: NotFoundError, ServiceUnavailableError, ArgumentError if the model in question does not see.
    """
    wanted = named or last
    choice = _chosen(services, wanted, need) if wanted else default(services, need)
    return _seeing(services, choice, need)


def of_provider(
    services: Services, provider: str, named: str, need: Need = NOTHING
) -> "ModelChoice":
    """A model of that provider: the one named, else its usual one, or for what that does not hold another one.

    Raises: NotFoundError, ServiceUnavailableError, ArgumentError if the name is another provider's.
    """
    if named.lower() in {"", "auto"}:
        return _seeing(services, _usual(services, provider, need), need)
    choice = services.gateway.choose(named)
    if choice.provider != provider:
        raise ArgumentError(
            f"{named} is a model of {choice.provider}; this asks {provider}. Leave model out, or name one of {provider}.",
            details={"field": "model", "value": named},
        )
    return _seeing(services, choice, need)


def default(services: Services, need: Need = NOTHING) -> "ModelChoice":
    """DEFAULT_MODEL; where it cannot be asked, what the router takes for `auto`, and the choice says so. Nobody has asked for
    ours, so to who has a provider of their own instead of a key it is not missed."""
    default = services.config.default_model
    try:
        choice = _chosen(services, default, need)
        fault = _unfit(choice.model, need)
    except ServiceUnavailableError:
        choice, fault = None, f"{default} (DEFAULT_MODEL) is not configured"
    except NotFoundError:  # others have a DEFAULT_MODEL too
        choice, fault = None, f"{default} (DEFAULT_MODEL) is no model that EXAI knows"
    if choice is not None and not fault:
        return choice
    other = _chosen(services, "auto", need)
    if choice is not None and other.model == choice.model:
        return choice
    if choice is None and default == _OURS and other.provider not in _USUAL:
        return other
    instead = f"{fault}; {other.model.name} was asked instead"
    return attrs.evolve(other, notice="; ".join(filter(None, [instead, other.notice])))


def holding(services: Services, need: Need) -> list[str]:
    """The names of a few models that could be asked with that, those with the smallest windows first."""
    fitting = [model for model in services.gateway.models() if not _unfit(model, need)]
    return [m.name for m in sorted(fitting, key=lambda m: m.context_window or inf)[:_MOST_NAMES]]


def _chosen(services: Services, name: str, need: Need) -> "ModelChoice":
    return services.gateway.choose(
        name,
        images=need.images,
        tools=need.tools,
        prompt_tokens=max(need.tokens, need.wished),
    )


def _usual(services: Services, provider: str, need: Need) -> "ModelChoice":
    usual = (_USUAL_SEEING if need.images else _USUAL).get(provider, "")
    choice = services.gateway.choose(usual)
    if not _unfit(choice.model, need):
        return choice
    others = [
        m for m in services.gateway.models() if m.provider == provider and not _unfit(m, need)
    ]
    if not others:
        return choice
    other = min(others, key=lambda model: model.context_window or 0)
    return services.gateway.choose(f"{provider}/{other.name}")


def _unfit(model: "ModelInfo", need: Need) -> str:
    """Why the model is none for that; "" if it is one."""
    if need.images and not model.sees:
        return f"{model.name} does not see images"
    window = model.context_window
    if window is not None and need.tokens > window * (1 - ANSWER_SHARE):
        return f"{model.name} holds {window:,} tokens, and this has about {need.tokens:,}"
    return ""


def _seeing(services: Services, choice: "ModelChoice", need: Need) -> "ModelChoice":
    """The choice. Raises: ArgumentError if there are images and it does not see them."""
    if not need.images or choice.model.sees:
        return choice
    names = [model.name for model in services.gateway.models() if model.sees][:_MOST_NAMES]
    seeing = f" ({', '.join(names)})" if names else ""
    raise ArgumentError(
        f"{choice.model.name} does not see images. Name a model that does{seeing},"
        " or leave the images out.",
        details={"field": "images", "model": choice.model.name},
    )


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


def cut_unasked(choice: "ModelChoice", estimated: int, counted: int) -> str:
    """What to say where a server seems to have read a part of the prompt only; "" if it does not. Ollama does so where a prompt
    is longer than it has loaded the model for; whose window is known is never sent so much."""
    if choice.model.context_window is not None or estimated < _LONG:
        return ""
    if not 0 < counted < estimated * _SURELY_CUT:
        return ""
    return (
        f"{choice.provider} has read {counted:,} tokens of about {estimated:,}: it seems to have cut the prompt without a word."
        " Load the model with a larger context, such as by OLLAMA_CONTEXT_LENGTH"
    )


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
