"""Text whose characters came in halves: escaped surrogates, or bytes of UTF-8, each in an event of its own. Pure.

Text that was read forgivingly holds what is no whole character as lone surrogates: an escaped half as itself, and a byte
that is no UTF-8 as Python's `surrogateescape` writes it.
"""

import codecs
import re
from typing import Final, cast

import attrs

from exai_trio import structs

_BYTES: Final = re.compile("[\udc80-\udcff]+")
_HALVES: Final = re.compile("[\ud800-\udfff]")
_OPEN_END: Final = re.compile(
    "[\ud800-\udbff]\\Z|[\udc80-\udcff]+\\Z"
)  # may go on in the next piece


def whole(text: str) -> str:
    """The text with its halves joined; those that stay alone become U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _HALVES.sub("\ufffd", _BYTES.sub(_decoded, _paired(text)))
    return text


def whole_within(value: object) -> object:
    """The same for every text in plain data."""
    match value:
        case str():
            return whole(value)
        case list():
            return [whole_within(each) for each in cast("list[object]", value)]
        case dict():
            fields = cast("dict[str, object]", value)
            return {whole(key): whole_within(each) for key, each in fields.items()}
        case _:
            return value


@structs.define
class Pieces:
    """Feed it text piece by piece: what may be the first half of a character waits for the other."""

    _held: str = attrs.field(default="", init=False)

    def feed(self, text: str) -> str:
        if not self._held and (text.isascii() or not _OPEN_END.search(text)):
            return whole(text)
        text, self._held = _paired(self._held + text), ""
        if found := _OPEN_END.search(text):
            self._held = _unfinished(found.group())
        return whole(text[: len(text) - len(self._held)])

    def end(self) -> str:
        held, self._held = self._held, ""
        return whole(held)


def _paired(text: str) -> str:
    """High and low halves that stand side by side become the character that they mean."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _decoded(found: re.Match[str]) -> str:
    return found.group().encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _unfinished(end: str) -> str:
    """The part of an open end that the next piece may finish."""
    if end[0] < "\udc80":
        return end
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(end.encode("utf-8", "surrogateescape"))
    return decoder.getstate()[0].decode("ascii", "surrogateescape")
