"""What a test may ask the simulator to do wrong, and how it is asked. Pure: no trio, no clock, no I/O.

Asked for in the last user message, `[[simulate: status=429 code=1302 times=2]]`, or by the control endpoint with the same
words as a JSON object. A word that is not known is refused: a misspelt fault must not look like a passing test.
"""

import json
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from exai_trio import structs

_DIRECTIVE = re.compile(r"\[\[simulate:(.*?)\]\]", re.DOTALL)
MAX_TOKENS = 200_000
MAX_SECONDS = 3600.0
STATUSES = range(200, 600)


class BadDirectiveError(Exception):
    """A directive that the simulator does not understand; the text says what is allowed."""


def _count(text: str) -> int:
    value = int(text)
    if not 0 <= value <= MAX_TOKENS:
        raise ValueError(f"allowed: 0 to {MAX_TOKENS}")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= MAX_SECONDS:
        raise ValueError(f"allowed: 0 to {MAX_SECONDS:g} seconds")
    return value


def _flag(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError("allowed: true, false")
    return text.lower() == "true"


def _status(text: str) -> int:
    value = int(text)
    if value not in STATUSES:
        raise ValueError("allowed: 200 to 599")
    return value


def _usage_place(text: str) -> str:
    if text not in {"own", "choice", "none"}:
        raise ValueError("allowed: own, choice, none")
    return text


def _word(
    read: Callable[[str], object], default: object, bare: str = "", *, wrong: bool = True
) -> Any:
    """A field of Fault. `bare` is what the word alone means; `wrong` marks what `times` ends."""
    return attrs.field(default=default, metadata={"read": read, "bare": bare, "wrong": wrong})


def _shaping_flag() -> Any:
    return _word(_flag, default=False, bare="true", wrong=False)


def _spoiling_flag() -> Any:
    return _word(_flag, default=False, bare="true")


@structs.frozen(kw_only=True)
class Fault:
    """Everything that can be asked for. The first group shapes a sound answer, the second spoils it.

    `times` limits the second group to the first n attempts of one call. Positions count stream events from 0; one
    beyond the end means the end, before `[DONE]`.
    """

    tokens: int | None = _word(_count, None, wrong=False)
    reasoning: int | None = _word(_count, None, wrong=False)
    drip: float = _word(_seconds, 0.0, wrong=False)
    say: str | None = _word(str, None, wrong=False)
    call: str | None = _word(str, None, wrong=False)
    calls: int = _word(_count, 1, wrong=False)
    arguments: str | None = _word(str, None, wrong=False)
    finish: str | None = _word(str, None, wrong=False)
    usage: str = _word(_usage_place, "own", wrong=False)
    comments: bool = _shaping_flag()
    piece: int | None = _word(_count, None, wrong=False)
    think_tags: bool = _shaping_flag()
    object_arguments: bool = _shaping_flag()

    times: int | None = _word(_count, None, wrong=False)

    delay: float = _word(_seconds, 0.0)
    drop: bool = _spoiling_flag()
    hang: int | None = _word(_count, None, "0")
    cut_after: int | None = _word(_count, None, "0")
    end_after: int | None = _word(_count, None, "0")
    no_done: bool = _spoiling_flag()
    empty: bool = _spoiling_flag()
    no_choices: bool = _spoiling_flag()
    broken_json: int | None = _word(_count, None, "1")
    error_event: int | None = _word(_count, None, "1")
    error_in_200: bool = _spoiling_flag()
    html: bool = _spoiling_flag()
    status: int | None = _word(_status, None)
    error: str | None = _word(str, None)
    message: str = _word(str, "")
    retry_after: float | None = _word(_seconds, None)
    again: int = _word(_count, 1)

    def without_wrong(self) -> "Fault":
        """The same answer, nothing wrong with it."""
        kept = {
            field.name: getattr(self, field.name)
            for field in attrs.fields(Fault)
            if not field.metadata["wrong"]
        }
        return Fault(**kept)

    def refuses(self) -> bool:
        return self.html or self.error_in_200 or self.status is not None or self.error is not None


# GLM's codes and Kimi's types are what `error` names; the papers' own words are understood too.
_OTHER_NAMES = {"code": "error", "type": "error"}


def fault_from(words: Mapping[str, object]) -> Fault:
    """Raises: BadDirectiveError for a word or a value that is not known."""
    fields = {field.name: field for field in attrs.fields(Fault)}
    values: dict[str, Any] = {}
    for word, value in words.items():
        name = _OTHER_NAMES.get(word, word)
        if name not in fields:
            known = ", ".join(sorted([*fields, *_OTHER_NAMES]))
            raise BadDirectiveError(f"the simulator does not know {word!r}; it knows {known}")
        values[name] = _read(word, value, fields[name].metadata)
    return Fault(**values)


def _read(word: str, value: object, metadata: Mapping[str, Any]) -> object:
    text = value if isinstance(value, str) else json.dumps(value)
    try:
        return metadata["read"](text or metadata["bare"])
    except ValueError as error:
        raise BadDirectiveError(f"{word}={text}: {error}") from error


def words_of(directive: str) -> dict[str, str]:
    """`status=429 hang message='a b'` as a mapping; a word alone has the value ''."""
    try:
        parts = shlex.split(directive)
    except ValueError as error:
        raise BadDirectiveError(f"{directive!r}: {error}") from error
    pairs = (part.partition("=") for part in parts)
    return {word: value for word, _, value in pairs}


def fault_in(text: str) -> Fault | None:
    """The fault that a user message asks for, or None. Several directives add up, the later word wins."""
    found = _DIRECTIVE.findall(text)
    if not found:
        return None
    words: dict[str, str] = {}
    for directive in found:
        words |= words_of(directive)
    return fault_from(words)
