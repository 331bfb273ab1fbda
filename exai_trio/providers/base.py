"""What a model provider is to the rest of EXAI: the Protocol and its records.

No HTTP here, no vendor's names.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from io import BufferedReader
from pathlib import Path
from typing import Any, Literal, Protocol

import attrs

from exai_trio import structs

Role = Literal["system", "user", "assistant", "tool"]
ThinkingLevel = Literal["minimal", "low", "medium", "high", "max"]
Capability = Literal["chat", "count_tokens", "list_models", "files", "web_search", "balance"]


@structs.frozen(kw_only=True)
class Image:
    """An image for a model that sees: `url` is an https URL, a `data:` URL or a provider's own scheme."""

    url: str


@structs.frozen(kw_only=True)
class ToolCall:
    """A model's wish to call a tool; `arguments` is JSON text exactly as the model wrote it."""

    id: str
    name: str
    arguments: str
    type: str = "function"


@structs.frozen(kw_only=True)
class Message:
    """One message of a chat. `reasoning` and `tool_calls` go back to providers that insist on the whole message."""

    role: Role
    text: str = ""
    images: tuple[Image, ...] = ()
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


@structs.frozen(kw_only=True)
class ChatRequest:
    """One question to one model. `idempotency_key` is the same for every attempt; `cache_key` for every turn of a thread.

    `renumbered` counts how often the provider called our request id a duplicate: then it gets a new one, the key stays.
    """

    model: str
    messages: tuple[Message, ...]
    temperature: float | None = None
    thinking: ThinkingLevel | None = None
    web_search: bool = False
    max_output_tokens: int | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: Any = None
    idempotency_key: str = ""
    cache_key: str | None = None
    renumbered: int = 0


@structs.frozen(kw_only=True)
class Usage:
    """Tokens as the provider counted them; `cached_tokens` is the part of `input_tokens` that came from its cache,
    `reasoning_tokens` the part of `output_tokens` that is no text."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0


@structs.frozen
class TextDelta:
    text: str


@structs.frozen
class ReasoningDelta:
    text: str


@structs.frozen
class TextWasReasoning:
    """All text that came so far was thinking: the mark of its end has come, that of its beginning had not."""


@structs.frozen(kw_only=True)
class ToolCallDelta:
    """A tool call, or a piece of one: then `arguments` are to be concatenated by `index`, `id` and `name` come first."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""
    type: str = "function"


@structs.frozen
class UsageDelta:
    usage: Usage


@structs.frozen(kw_only=True)
class Finish:
    """The last delta of every complete stream; a stream that ends without one was cut. `notices` are for the user to read; `headers` are the answer's, for diagnosis."""

    reason: str
    model: str
    web_results: tuple[Mapping[str, Any], ...] = ()
    notices: tuple[str, ...] = ()
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], eq=False, repr=False)


Delta = TextDelta | ReasoningDelta | TextWasReasoning | ToolCallDelta | UsageDelta | Finish


@structs.frozen(kw_only=True)
class ProviderFile:
    """A file that a provider holds for us. `size` in bytes, `created_at` in unix seconds."""

    id: str
    filename: str
    size: int
    created_at: int
    purpose: str


@structs.frozen(kw_only=True)
class Balance:
    """Money left with a provider."""

    available: float
    currency: str


@structs.frozen(kw_only=True)
class OfferedModel:
    """A model as a provider's own list describes it; None where the list does not say."""

    name: str
    context_window: int | None = None
    sees_images: bool | None = None
    reasons: bool | None = None


class Provider(Protocol):
    """One service under one key. Every method raises only ProviderError and its children (and trio.Cancelled).

    What is not among the capabilities raises ProviderRefusedError. Cancelling closes the socket of the request.
    Nothing here retries, waits for permits or counts failures; that is the gateway's and the guard's.
    """

    @property
    def capabilities(self) -> frozenset[Capability]: ...

    def chat(self, request: ChatRequest) -> AbstractAsyncContextManager[AsyncIterator[Delta]]:
        """Open a stream of deltas. Leaving the context, by any way, closes the provider's socket."""
        ...

    async def count_tokens(self, model: str, messages: tuple[Message, ...]) -> int: ...

    async def list_models(self) -> tuple[OfferedModel, ...]: ...

    async def upload_file(
        self, path: Path, purpose: str, opened: BufferedReader | None = None
    ) -> ProviderFile:
        """`opened` is the file, where the caller has it open; then `path` only gives the name. It stays open."""
        ...

    async def list_files(self) -> tuple[ProviderFile, ...]: ...

    async def read_file(self, file_id: str) -> bytes: ...

    async def delete_file(self, file_id: str) -> None: ...

    async def web_search(
        self, query: str, options: Mapping[str, Any], key: str = ""
    ) -> tuple[Mapping[str, Any], ...]:
        """`key` is the idempotency key, the same for every attempt."""
        ...

    async def balance(self) -> Balance: ...
