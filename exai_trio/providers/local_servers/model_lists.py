"""What the four servers say of their models, in their own words: JSON in, models out. Pure.

A window is what the server really holds of a prompt, not what the model was trained for: llama-server's `meta.n_ctx` (of one slot),
vLLM's `max_model_len`, what Ollama and LM Studio say of a model that is loaded. Of one that is not they do not say with how much
they would load it, so that is not known.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

import msgspec

from exai_trio.providers.base import OfferedModel

LLAMA, VLLM, OLLAMA, LM_STUDIO, OTHER = "llama-server", "vLLM", "Ollama", "LM Studio", ""
_LONGEST_NAME: Final = 256  # characters
_OWNERS: Final = {
    "llamacpp": LLAMA,
    "vllm": VLLM,
    "library": OLLAMA,
    "organization_owner": LM_STUDIO,
}
_NOT_FOR_CHAT: Final = frozenset({"embeddings", "embedding", "rerank"})
Json = Mapping[str, Any]


def parsed(body: bytes) -> Json | None:
    """The JSON object that the body is; None for anything else."""
    try:
        found: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # audit: empty-handler, because None is the answer: no JSON object
        return None
    return cast("Json", found) if isinstance(found, dict) else None


def is_model_list(said: Json) -> bool:
    """Whether it is an answer to GET /v1/models. Ollama without models says null for none."""
    data = said.get("data", 0)
    return isinstance(data, list) or (data is None and said.get("object") == "list")


def kind_of(said: Json) -> str:
    """Who answers so; OTHER where the list does not tell."""
    for entry in _entries(said, "data"):
        owner = _OWNERS.get(str(entry.get("owned_by")), OTHER)
        if owner:
            return owner
        if _number(entry, "max_model_len"):
            return VLLM
    return OTHER


def openai_models(said: Json) -> tuple[OfferedModel, ...]:
    """Of GET /v1/models, with what llama-server and vLLM add to it."""
    return tuple(
        OfferedModel(
            name=name,
            context_window=_number(_object(entry, "meta"), "n_ctx")
            or _number(entry, "max_model_len")
            or _number(entry, "context_length"),
            sees_images=_sees(entry),
        )
        for name, entry in _named(said, "data", "id")
    )


def ollama_models(tags: Json | None, loaded: Json | None) -> tuple[OfferedModel, ...]:
    """Of GET /api/tags, with the windows of GET /api/ps; those that are loaded come first."""
    windows = {
        name: _number(entry, "context_length")
        for name, entry in _named(loaded or {}, "models", "name")
    }
    models = [
        OfferedModel(
            name=name, context_window=windows.get(name), sees_images=_sees_by_family(entry)
        )
        for name, entry in _named(tags or {}, "models", "name")
        if "bert" not in str(_object(entry, "details").get("family"))
    ]
    return tuple(sorted(models, key=lambda model: model.name not in windows))


def lm_studio_models(said: Json) -> tuple[OfferedModel, ...]:
    """Of GET /api/v0/models; those that are loaded come first."""
    models = [
        OfferedModel(
            name=name,
            context_window=_number(entry, "loaded_context_length"),
            sees_images=entry.get("type") == "vlm",
        )
        for name, entry in _named(said, "data", "id")
        if entry.get("type") not in _NOT_FOR_CHAT
    ]
    return tuple(sorted(models, key=lambda model: model.context_window is None))


def _named(said: Json, field: str, key: str) -> Iterator[tuple[str, Json]]:
    """The entries that have a name one can ask for."""
    for entry in _entries(said, field):
        name = entry.get(key)
        if isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME and name.isprintable():
            yield name, entry


def _entries(said: Json, field: str) -> Iterator[Json]:
    found = said.get(field)
    for entry in cast("list[object]", found) if isinstance(found, list) else ():
        if isinstance(entry, dict):
            yield cast("Json", entry)


def _object(entry: Json, field: str) -> Json:
    found = entry.get(field)
    return cast("Json", found) if isinstance(found, dict) else {}


def _number(entry: Json, field: str) -> int | None:
    found = entry.get(field)
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else None


def _sees(entry: Json) -> bool | None:
    kinds = _object(entry, "architecture").get("input_modalities")
    return "image" in cast("list[object]", kinds) if isinstance(kinds, list) else None


def _sees_by_family(entry: Json) -> bool | None:
    """A family of its own reads the images; without one it is not known, since newer models have both in one."""
    families = _object(entry, "details").get("families")
    if not isinstance(families, list):
        return None
    return (
        True if {"clip", "mllama"} & {str(one) for one in cast("list[object]", families)} else None
    )
