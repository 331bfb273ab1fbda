"""The JSON objects in what a model wrote: in prose, in a fence, in a row, or cut off before their end. Pure."""

import json
from collections.abc import Iterator
from typing import Any, Final, cast

_MOST: Final = 200_000  # characters that are looked at
_STARTS: Final = 50  # braces that are tried, of which so many may want mending
_MENDED: Final = 3
_CLOSES: Final = {"{": "}", "[": "]"}


def objects_in(text: str) -> Iterator[dict[str, Any]]:
    """From the first to the last; an object within another is not looked for. The last one may lack its end."""
    text, at, wanting = text[:_MOST], 0, 0
    decoder = json.JSONDecoder(strict=False)
    for _ in range(_STARTS):
        start = text.find("{", at)
        if start < 0:
            return
        try:
            found, at = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            wanting += 1
            found, at = _mended(text[start:]) if wanting <= _MENDED else None, start + 1
        if isinstance(found, dict):
            yield cast("dict[str, Any]", found)


def _mended(text: str) -> object:
    """What is whole of an object that was cut off, or None."""
    open_now, whole, quoted, escaped = list[str](), list[tuple[int, str]](), False, False
    for place, letter in enumerate(text):
        if quoted:
            quoted = escaped or letter != '"'
            escaped = letter == "\\" and not escaped
        elif letter == '"':
            quoted = True
        elif letter in _CLOSES:
            open_now.append(_CLOSES[letter])
        elif open_now and letter == open_now[-1]:
            open_now.pop()
            if not open_now:
                return None  # it has its end, and is no JSON for another reason
        if letter == "," and not quoted:
            whole.append((place, "".join(reversed(open_now))))
    closing = ('"' if quoted else "") + "".join(reversed(open_now))
    return _first([(len(text), closing), *reversed(whole[-20:])], text)


def _first(ends: list[tuple[int, str]], text: str) -> object:
    """The longest beginning that is JSON once it is closed."""
    tried = 0
    while tried < len(ends):
        place, closing = ends[tried]
        try:
            return json.loads(text[:place] + closing, strict=False)
        except (ValueError, RecursionError):
            tried += 1
    return None
