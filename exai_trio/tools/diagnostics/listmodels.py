"""listmodels: the models that can be asked now, by provider."""

from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import attrs
from msgspec import Meta

from exai_trio import structs
from exai_trio.tools import envelope
from exai_trio.tools.asking import model_choice
from exai_trio.tools.base import Answer, Caller, Services, Tool
from exai_trio.tools.diagnostics import rendering

if TYPE_CHECKING:  # the shim lists tools without ever asking a model
    from exai_trio.providers.catalogue import ModelInfo

_NONE = (
    "No provider is configured. Set GLM_API_KEY or KIMI_API_KEY,"
    " or EXAI_SIMULATE=true to try EXAI without a key."
)


@structs.frozen(kw_only=True)
class Arguments:
    """What listmodels takes."""

    model: Annotated[str, Meta(description="Only this one, in detail")] = ""


async def run(arguments: Arguments, _caller: Caller, services: Services) -> Answer:  # noqa: ASYNC124 - every tool is async
    if arguments.model:
        return _detail(arguments.model, services)
    found = services.gateway.models()
    if not found:
        return envelope.simple("listmodels", _NONE, metadata={"models": []})
    default = model_choice.default(services)
    lines = [f"Asked when none is named: {default.model.name}"]
    for provider, its in groupby(sorted(found, key=_by_provider), key=_by_provider):
        lines += rendering.section(provider, map(_line, its))
    return envelope.simple(
        "listmodels", "\n".join(lines), metadata={"models": [model.name for model in found]}
    )


def _detail(name: str, services: Services) -> Answer:
    choice = services.gateway.choose(name)
    facts = attrs.asdict(choice.model) | {"notice": choice.notice}
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
    output_schema=envelope.OUTPUT_SCHEMA,
)
