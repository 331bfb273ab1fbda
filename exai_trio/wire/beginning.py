"""What can be said of a JSON text without parsing it: its first and last members, and how many values it has. Pure: no I/O.

Reading costs time for every value, and nobody else has a turn meanwhile; strings cost little however long they are.
"""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from exai_trio import structs

LOOKED_AT: Final = 1024  # characters in which whom to answer must be found
MOST_VALUES: Final = 20_000  # in one frame: some 20 ms of reading and checking
_PIECE: Final = 65_536  # characters looked at in one go, a millisecond's work
_LONGEST_NUMBER: Final = 19  # digits
_STRING, _WORD = r'"(?:[^"\\]++|\\.)*+"', r'[^\s{}\[\]:,"]++'
_TOKEN = re.compile(rf'{_STRING}|"[\s\S]*+|[{{}}\[\]:,]|{_WORD}')
_LAST = re.compile(rf"(?:,\s*+{_STRING}\s*+:\s*+(?:{_STRING}|{_WORD})\s*+)+(?=\}}\s*+$)")
_SEPARATORS: Final = ",[{"


def first_members(text: str | bytes) -> dict[str, str | int]:
    """Strings and integers that stand whole in the outermost object, within the first kilobyte. Any text gives some or none."""
    beginning = text[:LOOKED_AT]
    if isinstance(beginning, bytes):
        beginning = beginning.decode(errors="replace")
    found: dict[str, str | int] = {}
    depth, key, before = 0, "", ""
    for token in _TOKEN.finditer(beginning):
        word = token[0]
        depth += (word in "{[") - (word in "}]")
        if depth <= 0:
            break
        if depth == 1 and before == ":" and token.end() < len(beginning):
            name, value = _scalar(key), _scalar(word)
            if isinstance(name, str) and value is not None:
                found[name] = value
        key, before = before, word
    return found


def outer_members(text: str | bytes) -> dict[str, str | int]:
    """As `first_members`, and those that stand last in the object, within the last kilobyte: some clients put the id there."""
    ending = text[-LOOKED_AT:]
    if isinstance(ending, bytes):
        ending = ending.decode(errors="replace")
    found = first_members(text)
    last = _LAST.search(ending)
    if last is not None:
        # What is followed by the text's last brace, and by nothing nested, is the outermost object's.
        found |= first_members("{" + last[0].removeprefix(",") + ",")
    return found


def _scalar(token: str) -> str | int | None:
    if len(token) > _LONGEST_NUMBER + 1 and not token.startswith('"'):
        return None
    try:
        return msgspec.json.decode(token, type=str | int)
    except msgspec.MsgspecError:
        # audit: empty-handler, because None is the answer: neither text nor number
        return None


def may_be_intricate(text: str | bytes) -> bool:
    """False if a text surely has no more than MOST_VALUES values; what follows is only for the others."""
    if len(text) <= MOST_VALUES:
        return False
    if isinstance(text, bytes):
        return sum(map(text.count, (mark.encode() for mark in _SEPARATORS))) > MOST_VALUES
    return sum(map(text.count, _SEPARATORS)) > MOST_VALUES


@structs.define
class _Piecewise:
    """Where in a JSON text the look at it has come to."""

    in_string: bool = False
    escaping: bool = False

    def values_in(self, piece: str) -> int:
        """How many values begin in the next piece, about; marks that stand in strings are none."""
        if self.escaping:
            piece = piece[1:]
        plain = piece.replace("\\\\", "")
        self.escaping = plain.endswith("\\")
        parts = plain.replace('\\"', "").split('"')
        outside = "".join(parts[self.in_string :: 2])
        self.in_string ^= len(parts) % 2 == 0
        return sum(map(outside.count, _SEPARATORS))


def values_of(text: str | bytes) -> Iterator[int]:
    """How many values each piece of a text has, about. Whoever goes through them may let others have their turn between."""
    course = _Piecewise()
    for start in range(0, len(text), _PIECE):
        piece = text[start : start + _PIECE]
        yield course.values_in(piece.decode("latin-1") if isinstance(piece, bytes) else piece)
