"""Which faults are the same: a text of what stays when ids, lines, paths and order change, and its hash. Pure: no trio, no clock, no I/O.

An exception is known by its type, the types of its causes and our innermost frames; where none of ours is among them, by its message.
A record without one is known by its logger and its fixed phrase. A change of these rules is a new VERSION: old rows keep theirs.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Final

from exai_trio.incidents.fault import Fault, Frame

VERSION: Final = 1
_FRAMES: Final = 4  # innermost ones: the same fault is reached from several borders
_CAUSES: Final = 3
_DIGITS: Final = 24
_LONGEST: Final = 200
_PACKAGE: Final = "exai_trio."
_VARIABLE: Final = re.compile(
    r"""
      "[^"]*" | '[^']*' | `[^`]*`                # what is quoted
    | \w+://\S+ | (?:[~.\w-]*/)+[\w.~-]* | [A-Za-z]:\\\S*      # addresses and paths
    | \S+@\S+
    | \b(?:0x)?[0-9a-f]*\d[0-9a-f-]*\b | \d+     # numbers and ids
    """,
    re.VERBOSE | re.IGNORECASE,
)


def fingerprint(fault: Fault) -> str:
    """Its hash, which begins with the version of the rules."""
    text = "\n".join(parts(fault))
    return f"{VERSION}-{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:_DIGITS]}"


def parts(fault: Fault) -> Iterator[str]:
    """What the hash is made of."""
    if not fault.type:
        yield from ("record", fault.logger, without_variables(fault.phrase))
        return
    yield fault.type
    yield from fault.causes[:_CAUSES]
    places = own_places(fault.frames)
    yield from places or [without_variables(fault.message)]


def own_places(frames: Iterable[Frame]) -> list[str]:
    """Our innermost functions, nearest to the fault first; one that calls itself stands once."""
    ours = (place(frame) for frame in reversed(tuple(frames)) if frame.ours)
    return list(dict.fromkeys(ours))[:_FRAMES]


def place(frame: Frame) -> str:
    """Module and function, a comprehension or lambda as the function that it stands in."""
    names = frame.function.replace("<locals>.", "").split(".")
    named = [name for name in names if not name.startswith("<") or name == "<module>"]
    return f"{frame.module.removeprefix(_PACKAGE)}:{'.'.join(named)}"


def without_variables(text: str) -> str:
    """The text with a mark in the place of each number, id, path, address and quotation."""
    return " ".join(_VARIABLE.sub("#", text[: 2 * _LONGEST]).split())[:_LONGEST]
