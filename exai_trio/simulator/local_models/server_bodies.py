"""What the four servers answer, each in its own words. Pure: no trio, no clock, no I/O.

Tables of their own, on purpose: the simulator checks what EXAI believes about these servers.
"""

from collections.abc import Mapping
from typing import Any, Literal

from exai_trio import structs

Kind = Literal["ollama", "llama-server", "lm-studio", "vllm"]
KINDS: tuple[Kind, ...] = ("ollama", "llama-server", "lm-studio", "vllm")
Json = dict[str, Any]


@structs.frozen(kw_only=True)
class LocalModel:
    """`window` is what a prompt may fill, in tokens; where the model is not `loaded`, Ollama and LM Studio do not say it."""

    name: str
    window: int = 4096
    loaded: bool = True
    sees: bool = False


@structs.frozen(kw_only=True)
class LocalServer:
    """One server as it is set up; with a `key` it answers nobody without it."""

    kind: Kind
    models: tuple[LocalModel, ...]
    key: str = ""

    def model(self, name: str) -> LocalModel | None:
        """The one that answers for that name: llama-server has one model and answers for any."""
        if self.kind == "llama-server":
            return self.models[0]
        return next((each for each in self.models if name in {each.name, ""}), None)


# What such servers usually have loaded.
USUAL: Mapping[Kind, LocalServer] = {
    "ollama": LocalServer(
        kind="ollama",
        models=(
            LocalModel(name="qwen2.5-coder:7b", loaded=False),
            LocalModel(name="llama3.2:latest", window=8192),
        ),
    ),
    "llama-server": LocalServer(
        kind="llama-server",
        models=(LocalModel(name="/models/SmolLM2-135M-Instruct.Q4_1.gguf", window=1024),),
    ),
    "lm-studio": LocalServer(
        kind="lm-studio",
        models=(
            LocalModel(name="qwen2.5-7b-instruct", loaded=False),
            LocalModel(name="gemma-3-4b-it", window=8192, sees=True),
        ),
    ),
    "vllm": LocalServer(
        kind="vllm", models=(LocalModel(name="Qwen/Qwen2.5-1.5B-Instruct", window=32_768),)
    ),
}


def openai_list(server: LocalServer) -> Json:
    """GET /v1/models."""
    listed: Json = {
        "object": "list",
        "data": [_listed(server.kind, each) for each in server.models],
    }
    return listed


def _listed(kind: Kind, model: LocalModel) -> Json:
    common = {"id": model.name, "object": "model", "created": 1_780_000_000}
    match kind:
        case "llama-server":
            kinds = ["text", "image"] if model.sees else ["text"]
            meta = {"n_ctx": model.window, "n_ctx_train": 131_072, "n_vocab": 49_152}
            shapes = {"input_modalities": kinds, "output_modalities": ["text"]}
            return {**common, "owned_by": "llamacpp", "architecture": shapes, "meta": meta}
        case "vllm":
            more = {"root": model.name, "parent": None, "max_model_len": model.window}
            return {**common, "owned_by": "vllm", **more}
        case "lm-studio":
            return {**common, "owned_by": "organization_owner"}
        case "ollama":
            return {**common, "owned_by": "library"}


def own_answers(server: LocalServer) -> dict[str, Json]:
    """What the server answers to GET in its own interface, by path."""
    match server.kind:
        case "llama-server":
            model = server.models[0]
            settings = {"n_ctx": model.window}
            props = {"default_generation_settings": settings, "model_path": model.name}
            return {"/health": {"status": "ok"}, "/props": props}
        case "vllm":
            return {"/version": {"version": "0.11.0"}}
        case "lm-studio":
            return {"/api/v0/models": {"object": "list", "data": [*map(_lm_studio, server.models)]}}
        case "ollama":
            loaded = [_ollama(each) for each in server.models if each.loaded]
            tags = [_tag(each) for each in server.models]
            tags.append({"name": "nomic-embed-text:latest", "details": {"family": "nomic-bert"}})
            return {
                "/api/version": {"version": "0.13.0"},
                "/api/tags": {"models": tags},
                "/api/ps": {"models": loaded},
            }


def _lm_studio(model: LocalModel) -> Json:
    state = "loaded" if model.loaded else "not-loaded"
    kind = "vlm" if model.sees else "llm"
    shown = {"id": model.name, "object": "model", "type": kind, "state": state}
    window = {"loaded_context_length": model.window} if model.loaded else {}
    # audit: limit, because the imitated server says so
    return {**shown, "max_context_length": 131_072, **window}


def _tag(model: LocalModel) -> Json:
    families = ["llama", "clip"] if model.sees else ["llama"]
    details = {"format": "gguf", "family": "llama", "families": families}
    return {"name": model.name, "model": model.name, "size": 1, "details": details}


def _ollama(model: LocalModel) -> Json:
    return {**_tag(model), "context_length": model.window, "size_vram": 0}


def no_key(kind: Kind) -> Json:
    if kind == "llama-server":
        error = {"code": 401, "message": "Invalid API Key", "type": "authentication_error"}
        return {"error": error}
    return {"error": "Unauthorized"}


def nothing_there(kind: Kind, method: str, path: str) -> tuple[int, Json]:
    """LM Studio answers 200 whatever is asked."""
    if kind == "lm-studio":
        return 200, {"error": f"Unexpected endpoint or method. ({method} {path})"}
    return 404, {"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}}


def too_long(kind: Kind, tokens: int, window: int) -> Json:
    """Of a prompt over the window; Ollama has no such answer, since it cuts the prompt."""
    if kind == "llama-server":
        text = f"request ({tokens} tokens) exceeds the available context size ({window} tokens), try increasing it"
        facts = {"n_prompt_tokens": tokens, "n_ctx": window}
        return {
            "error": {"code": 400, "message": text, "type": "exceed_context_size_error", **facts}
        }
    text = f"This model's maximum context length is {window} tokens. However, your prompt has {tokens}."
    return {"error": {"code": 400, "message": text, "type": "BadRequestError", "param": None}}


def unknown_model(name: str) -> Json:
    message = f"The model `{name}` does not exist."
    return {"error": {"code": "model_not_found", "message": message, "type": "NotFoundError"}}
