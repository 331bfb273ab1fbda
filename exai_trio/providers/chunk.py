"""The JSON of a chat answer, whole or in chunks, as msgspec reads it: lenient where the services differ. Pure.

Only what we use is declared; everything may be missing or null. `arguments` may be anything, since GLM's own
description has an object where everybody else has a string.
"""

from typing import Any

import msgspec

from exai_trio import structs

from .base import Usage


@structs.frozen
class Function:
    name: str | None = None
    arguments: Any = None


@structs.frozen
class CallPiece:
    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: Function | None = None


@structs.frozen
class Said:
    """A `delta`, or the `message` of an answer that is not streamed."""

    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[CallPiece] | None = None


@structs.frozen
class CachedPart:
    cached_tokens: int | None = None


@structs.frozen
class Counted:
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    prompt_tokens_details: CachedPart | None = None

    @property
    def usage(self) -> Usage:
        details = self.prompt_tokens_details.cached_tokens if self.prompt_tokens_details else None
        return Usage(
            input_tokens=self.prompt_tokens or 0,
            output_tokens=self.completion_tokens or 0,
            cached_tokens=self.cached_tokens or details or 0,
        )


@structs.frozen
class Choice:
    delta: Said | None = None
    message: Said | None = None
    finish_reason: str | None = None
    usage: Counted | None = None


@structs.frozen
class Chunk:
    """One event of a stream, or a whole answer. `error` beside or instead of the rest: the services put it into a 200."""

    model: str | None = None
    choices: list[Choice] | None = None
    usage: Counted | None = None
    web_search: list[dict[str, Any]] | None = None
    error: Any = None

    @property
    def counted(self) -> Counted | None:
        """The usage from wherever it stands: beside the choices, in a chunk without choices, or in a choice."""
        if self.usage is not None or not self.choices:
            return self.usage
        return self.choices[0].usage


def arguments_text(arguments: object) -> str:
    """Arguments as JSON text: a string is that already, an object becomes it."""
    if arguments is None:
        return ""
    return arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode()
