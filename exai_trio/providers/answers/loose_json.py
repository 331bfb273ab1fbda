"""JSON that is almost right: a byte that is no UTF-8, half characters, raw line ends in texts, values in a row. Pure."""

import json
import re
from typing import Final

_BLANKS: Final = " \t\r\n\x00\ufeff"
_MORE_BLANKS: Final = re.compile(f"[{_BLANKS}]*")
_LONGEST_INTEGER: Final = 300  # digits; Python refuses to read some thousands


class NotJson(ValueError):
    """No value, or something behind a value that is none."""


def values(data: bytes | str) -> list[object]:
    """The values that stand one behind another, with halves of characters as lone surrogates. Raises: NotJson."""
    text = data if isinstance(data, str) else data.decode("utf-8", "surrogateescape")
    text = text.strip(_BLANKS)
    return [value for value, _ in spans(text)]


def spans(text: str) -> list[tuple[object, str]]:
    """The values of a text, each with what it was written as. Raises: NotJson."""
    found: list[tuple[object, str]] = []
    at = 0
    try:
        while at < len(text):
            value, end = _DECODER.raw_decode(text, at)
            found.append((value, text[at:end]))
            at = _after_blanks(text, end)
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from error
    return found


def value(data: bytes | str) -> object:
    """The one value. Raises: NotJson for none, or several."""
    found = values(data)
    if len(found) != 1:
        raise NotJson(f"{len(found)} values")
    return found[0]


def _after_blanks(text: str, at: int) -> int:
    blanks = _MORE_BLANKS.match(text, at)
    return blanks.end() if blanks else at


def _integer(digits: str) -> float:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else float(digits)


def _no_number(_: str) -> None:
    """NaN and the infinities, which JSON has no word for."""


_DECODER: Final = json.JSONDecoder(strict=False, parse_int=_integer, parse_constant=_no_number)
