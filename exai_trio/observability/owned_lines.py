"""Whose a line of a log is: only those lines are shown to somebody that are theirs. Pure: text only.

A line that names no principal is the home owner's; one without a time of its own belongs to the line before it.
"""

import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final
from urllib.parse import quote

import msgspec

from exai_trio.principals import OWNER, principal_of

_FIELD: Final = re.compile(r" principal=(\S+)")  # of a line that is no JSON
_BEGINS: Final = re.compile(r"\{|\d{4}-\d\d-\d\d[T ]\d\d:")


@lru_cache(256)
def written(principal: str) -> str:
    """The principal as lines name it: one word, in which redaction finds no secret."""
    return quote(principal, safe="@")


def goes_on(line: str) -> bool:
    """It belongs to the line before it."""
    return not _BEGINS.match(line)


def of_principal(lines: Iterable[str], principal: str) -> Iterator[str]:
    """The lines that this principal may see, in order."""
    wanted, whose = written(principal), OWNER
    for line in lines:
        if not goes_on(line):
            whose = principal_of(_named(line))
        if whose == wanted:
            yield line


def _named(line: str) -> str:
    if "principal" not in line:
        return OWNER
    if line.startswith("{"):
        return _of_object(line)
    found = _FIELD.search(line)
    return found[1] if found else OWNER


class _Line(msgspec.Struct):
    principal: str = OWNER


_LINES: Final = msgspec.json.Decoder(_Line)


def _of_object(line: str) -> str:
    try:
        return _LINES.decode(line).principal
    except msgspec.DecodeError:
        return _of_odd_object(line)


def _of_odd_object(line: str) -> str:
    """With half characters, which msgspec does not take. Of a line that is broken nobody can say whose it is."""
    try:
        return str(json.loads(line).get("principal", OWNER))
    except ValueError:  # audit: empty-handler, because "?" says that the line is broken
        return "?"
