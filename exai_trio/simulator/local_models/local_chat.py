"""POST /v1/chat/completions of the four servers: what they say of a prompt, as one body or as a stream. Pure."""

import json
from collections.abc import Iterator

from exai_trio import structs

from ..chat.prompt import prompt_from
from ..chat.prompt_cache import MESSAGE, TOKEN_CHARS, prompt_tokens
from .server_bodies import Json, LocalModel, LocalServer, too_long, unknown_model

_DONE = b"data: [DONE]\n\n"


@structs.frozen(kw_only=True)
class Reply:
    """An answer to a chat: `body` alone, or the `events` of a stream."""

    status: int = 200
    body: Json | None = None
    events: tuple[bytes, ...] = ()


def reply(server: LocalServer, asked: Json) -> Reply:
    """It tells which model it is and how the prompt that it has read ends."""
    model = server.model(str(asked.get("model", "")))
    if model is None:
        return Reply(status=404, body=unknown_model(str(asked.get("model", ""))))
    prompt = prompt_from({**asked, "model": model.name})
    tokens = prompt_tokens(prompt)
    if tokens > model.window and server.kind != "ollama":
        return Reply(status=400, body=too_long(server.kind, tokens, model.window))
    text = prompt.messages[-1].text if prompt.messages else ""
    read = text[-(model.window * TOKEN_CHARS) :]
    words = f"[simulated] {model.name} read {len(read)} characters: {read[-200:]}"
    usage = _usage(min(tokens, model.window), words)
    if asked.get("stream"):
        return Reply(events=tuple(_events(model, words, usage)))
    message = {"role": "assistant", "content": words}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return Reply(body={**_head(model, "chat.completion"), "choices": [choice], "usage": usage})


def _usage(prompt: int, words: str) -> Json:
    completion = len(words) // TOKEN_CHARS + MESSAGE
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def _events(model: LocalModel, words: str, usage: Json) -> Iterator[bytes]:
    head = _head(model, "chat.completion.chunk")
    for piece in words.split(" "):
        delta = {"role": "assistant", "content": piece + " "}
        yield _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    yield _event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    yield _event({**head, "choices": [], "usage": usage})
    yield _DONE


def _head(model: LocalModel, kind: str) -> Json:
    return {"id": "chatcmpl-local", "object": kind, "created": 1_780_000_000, "model": model.name}


def _event(value: Json) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"
