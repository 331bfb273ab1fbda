"""listmodels: the models that can be asked now, by provider."""

from collections.abc import Iterable
from itertools import groupby, islice
from typing import TYPE_CHECKING, Annotated, Final

import attrs
from msgspec import Meta

from exai_trio import structs
from exai_trio.errors import NotFoundError
from exai_trio.tools import envelope
from exai_trio.tools.asking import model_choice
from exai_trio.tools.base import Answer, Caller, Services, Tool
from exai_trio.tools.diagnostics import rendering

if TYPE_CHECKING:  # the shim lists tools without ever asking a model
    from exai_trio.providers.catalogue import ModelInfo

_MOST_LINES: Final = 100  # of one provider
_NONE: Final = (
    "No provider is configured. Set GLM_API_KEY or KIMI_API_KEY, or `exai providers add` for a model server of this machine,"
    " or EXAI_SIMULATE=true to try EXAI without a key."
)


@structs.frozen(kw_only=True)
class Arguments:
    """What listmodels takes."""

    model: Annotated[str, Meta(description="Only this one, in detail")] = ""


async def run(arguments: Arguments, _caller: Caller, services: Services) -> Answer:
    await services.gateway.look_again()
    if arguments.model:
        return _detail(arguments.model, services)
    found = services.gateway.models()
    lines = [f"Asked when none is named: {_default(services)}"] if found else []
    for provider, its in groupby(sorted(found, key=_by_provider), key=_by_provider):
        lines += rendering.section(provider, _lines(list(its)))
    lines += _silent(services, {model.provider for model in found})
    return envelope.simple(
        "listmodels",
        "\n".join(lines or [_NONE]),
        metadata={"models": [model.name for model in found]},
    )


def _default(services: Services) -> str:
    try:
        return model_choice.default(services).model.name
    except NotFoundError as fault:
        return f"none ({fault})"


def _lines(models: "list[ModelInfo]") -> list[str]:
    more = len(models) - _MOST_LINES
    lines = [_line(model) for model in islice(models, _MOST_LINES)]
    return [*lines, f"… and {more:,} more"] if more > 0 else lines


def _silent(services: Services, heard: set[str]) -> list[str]:
    """The providers that could be asked, if anybody knew of a model there."""
    return [
        f"{one['name']} ({one['base_url']}): no model is known; is its server running? `exai providers test {one['name']}`"
        for one in services.gateway.providers()
        if one["configured"] and one["name"] not in heard
    ]


def _detail(name: str, services: Services) -> Answer:
    choice = services.gateway.choose(name)
    facts = attrs.asdict(choice.model) | {"notice": choice.notice}
    del facts["served_as"]
    lines = [
        f"{key.replace('_', ' ')}: {rendering.flat(value)}"
        for key, value in facts.items()
        if value not in (None, "", ())
    ]
    return envelope.simple("listmodels", "\n".join(lines), metadata={"models": [choice.model.name]})


def _by_provider(model: "ModelInfo") -> str:
    return model.provider


def _line(model: "ModelInfo") -> str:
    parts = [_tokens(model.context_window), *_sorted(model.capabilities)]
    also = f" (also {', '.join(model.aliases)})" if model.aliases else ""
    return f"{model.name}{also}: {', '.join(part for part in parts if part)}".removesuffix(": ")


def _tokens(context: int | None) -> str:
    if context is not None and context < 1000:  # noqa: PLR2004  # of a small local model
        return f"{context} tokens of context"
    return f"{context // 1000:,} K context" if context else ""


def _sorted(names: Iterable[str]) -> list[str]:
    return sorted(names)


TOOL = Tool(
    name="listmodels",
    description="The models that can be asked, by provider.",
    arguments=Arguments,
    run=run,
    repeatable=True,
    reports=True,
)
