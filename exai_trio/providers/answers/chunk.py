"""The JSON of a chat answer, whole or in chunks: what of it we read, however the services differ. Pure.

Only what we use is declared; everything may be missing or null. Texts and `arguments` may be anything, since they come as
text, as typed parts or as objects; `said` and `arguments_text` make text of them.
"""

from collections.abc import Iterator
from typing import Any, Final, Literal, cast

import msgspec

from exai_trio import structs

from ..base import Usage
from .characters import whole_within
from .lenient_records import Unreadable, needed, read
from .loose_json import NotJson, values

_MOST_TOKENS: Final = 2**53  # beyond it a count is a mistake
_THOUGHTS: Final = ("thinking", "reasoning", "reasoning_content", "summary")
_WORDS: Final = ("text", "content", "output_text", "refusal", "value")
Sort = Literal["text", "thought"]


@structs.frozen
class Function:
    name: str | None = None
    arguments: Any = None


@structs.frozen
class CallPiece:
    index: int | None = None
    id: str | int | None = None
    type: str | None = None
    function: Function | None = None


@structs.frozen
class Said:
    """A `delta`, or the `message` of an answer that is not streamed."""

    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: Any = None
    tool_calls: list[CallPiece] | None = None


@structs.frozen
class CachedPart:
    cached_tokens: int | None = None


@structs.frozen
class ReasoningPart:
    reasoning_tokens: int | None = None


@structs.frozen
class Counted:
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    prompt_tokens_details: CachedPart | None = None
    completion_tokens_details: ReasoningPart | None = None

    @property
    def usage(self) -> Usage:
        details = self.prompt_tokens_details.cached_tokens if self.prompt_tokens_details else None
        thought = self.completion_tokens_details
        return Usage(
            input_tokens=_tokens(self.prompt_tokens),
            output_tokens=_tokens(self.completion_tokens),
            cached_tokens=_tokens(self.cached_tokens) or _tokens(details),
            reasoning_tokens=_tokens(thought.reasoning_tokens if thought else None),
        )


@structs.frozen
class Choice:
    delta: Said | None = needed()
    message: Said | None = needed()
    finish_reason: Any = None
    usage: Counted | None = None


@structs.frozen
class Chunk:
    """One event of a stream, or a whole answer. `error` beside or instead of the rest: the services put it into a 200."""

    model: str | None = None
    choices: list[Choice] | None = needed()
    usage: Counted | None = None
    web_search: list[dict[str, Any]] | None = None
    error: Any = None

    @property
    def counted(self) -> Counted | None:
        """The usage from wherever it stands: beside the choices, in a chunk without choices, or in a choice."""
        if self.usage is not None or not self.choices:
            return self.usage
        return self.choices[0].usage


_decode: Final = msgspec.json.Decoder(Chunk).decode


def chunks(data: bytes, lost: list[str]) -> list[Chunk]:
    """The chunk, or those that stand in a row. Names of side fields that could not be read are added to `lost`.

    Raises: Unreadable, or NotJson.
    """
    try:
        return [_decode(data)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _slowly(data, lost)


def _slowly(data: bytes, lost: list[str]) -> list[Chunk]:
    try:
        return [_chunk(each, lost) for value in values(data) for each in _spread(value)]
    except RecursionError as error:
        raise NotJson(str(error)) from error


def _chunk(value: object, lost: list[str]) -> Chunk:
    if not isinstance(value, dict):
        raise Unreadable("chunk")
    return read(Chunk, cast("object", value), lost)


def _spread(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else [value]


def said(content: object) -> Iterator[tuple[Sort, str]]:
    """The texts of a content, with the thoughts told apart. What is neither, such as an image, is left out.

    Raises: Unreadable for a content that is no text, and holds none.
    """
    match content:
        case None:
            return
        case str():
            yield "text", content
        case list():
            for part in cast("list[object]", content):
                yield from said(part)
        case dict():
            yield from _part(cast("dict[str, object]", content))
        case _:
            raise Unreadable("content")


def _part(part: dict[str, object]) -> Iterator[tuple[Sort, str]]:
    thought = _first_of(part, _THOUGHTS)
    words = _first_of(part, _WORDS)
    if thought is not None or part.get("type") in _THOUGHTS:
        for _, text in said(words if thought is None else thought):
            yield "thought", text
    else:
        yield from said(words)


def _first_of(part: dict[str, object], names: tuple[str, ...]) -> object:
    return next((part[name] for name in names if part.get(name)), None)


def thoughts(content: object) -> str:
    """The same as one text, for a field that holds thoughts alone. Raises: Unreadable."""
    return "".join(text for _, text in said(content))


def arguments_text(arguments: object) -> str:
    """Arguments as JSON text: a string is that already, an object becomes it."""
    if arguments is None:
        return ""
    if isinstance(arguments, str):
        return arguments
    return msgspec.json.encode(whole_within(arguments)).decode()


def _tokens(count: int | None) -> int:
    return count if count is not None and 0 <= count < _MOST_TOKENS else 0
