"""The models that the simulated services have, and had. Pure: no trio, no clock, no I/O.

A table of its own, on purpose: the simulator checks what EXAI believes about models, so it must not read EXAI's file.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from exai_trio import structs

Thinking = Literal["always", "toggle"]

K = 1024
M = 1_048_576


@structs.frozen
class Model:
    """One model. `context`, `output` (the limit) and `default_output` are tokens; `created` is unix seconds."""

    name: str
    context: int
    output: int = 128 * K
    thinking: Thinking = "toggle"
    effort: tuple[str, ...] = ()
    default_output: int | None = None
    sees: bool = False
    counts_tokens: bool = False
    created: int = 1_780_000_000


_GLM_EFFORT = ("low", "medium", "high", "xhigh", "max")


# The vendor's own list.
_GLM = (
    Model("glm-5.3", M, thinking="always", effort=_GLM_EFFORT),
    Model("glm-5.3-flash", M, thinking="always", effort=_GLM_EFFORT, sees=True),
    Model("glm-5.2", M, effort=("none", "minimal", *_GLM_EFFORT)),
    Model("glm-5.1", 200_000),
    Model("glm-5", 204_800),
    Model("glm-5-turbo", 200_000),
    Model("glm-5v-turbo", 200_000, sees=True),
    Model("glm-4.7", 204_800),
    Model("glm-4.7-flash", 200_000),
    Model("glm-4.7-flashx", 200_000),
    Model("glm-4.6", 204_800, 131_072, counts_tokens=True),
    Model("glm-4.6v", 128_000, 32 * K, sees=True, counts_tokens=True),
    Model("glm-4.6v-flash", 128_000, 32 * K, sees=True),
    Model("glm-4.6v-flashx", 128_000, 32 * K, sees=True),
    Model("glm-4.5", 131_072, 98_304, counts_tokens=True),
    Model("glm-4.5-air", 131_072, 98_304),
    Model("glm-4.5-x", 131_072, 98_304),
    Model("glm-4.5-airx", 131_072, 98_304),
    Model("glm-4.5-flash", 131_072, 98_304),
    Model("glm-4.5v", 64 * K, 16 * K, sees=True),
)

_K3_EFFORT = ("low", "high", "max")


def _kimi(
    name: str,
    context: int,
    thinking: Thinking,
    effort: tuple[str, ...] = (),
    default_output: int = 32_768,
) -> Model:
    return Model(
        name=name,
        context=context,
        output=context,
        thinking=thinking,
        effort=effort,
        default_output=default_output,
        sees=True,
    )


# The vendor's own list.
_KIMI = (
    _kimi("kimi-k3", M, "always", _K3_EFFORT, 131_072),
    _kimi("kimi-k3.1-pro", M, "always", _K3_EFFORT, 131_072),
    _kimi("kimi-k2.7-code", 262_144, "always"),
    _kimi("kimi-k2.7-code-highspeed", 262_144, "always"),
    _kimi("kimi-k2.6", 262_144, "toggle"),
)

GLM_MODELS: Mapping[str, Model] = MappingProxyType({model.name: model for model in _GLM})
KIMI_MODELS: Mapping[str, Model] = MappingProxyType({model.name: model for model in _KIMI})

# Answered by 404 like any unknown name; listed so that a test can walk through the names that users still have.
KIMI_GONE = (
    "kimi-latest",
    "kimi-k2-0711-preview",
    "kimi-k2-0905-preview",
    "kimi-k2-turbo-preview",
    "kimi-k2-thinking",
    "kimi-k2-thinking-turbo",
    "kimi-k2.5",
    "kimi-thinking-preview",
    "moonshot-v1-8k",
    "moonshot-v1-32k",
    "moonshot-v1-128k",
    "moonshot-v1-auto",
    "moonshot-v1-8k-vision-preview",
)
