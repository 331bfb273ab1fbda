"""What a message says by itself, without what data say in it: prompts, answers and files stand in no incident. Pure: no trio, no clock, no I/O.

A word is kept if it stands in the code that raised the message, or in what Python, SQLite and the system say of faults.
"""

import errno
import os
import re
from collections.abc import Iterable
from typing import Final

_LONGEST: Final = 400
_GAP: Final = "…"
_WORD: Final = re.compile(r"[^\W\d_][\w]*|_\w+")
_TOKEN: Final = re.compile(
    r"(?P<word>[^\W\d_]\w*|_\w+)|(?P<number>\d+(?:\.\d+)?)(?!\w)|\s+|[^\w\s]|\w+"
)
_LONGEST_NUMBER: Final = 6  # longer ones are ids, or data
_OFTEN: Final = """
a an and are argument arguments as async at attribute awaited bad base be been but by byte bytes call called can cannot cant
changed char closed codec column concatenate convert could database decode defined delimiter dict dictionary different disk does
during empty encode end ended error exceeded expected expecting extra failed file float for format found from full function get
given got has have host id image in index int integer into invalid io is it iterable iteration iterated key keyword large length
line list literal load locked malformed many max maximum member memory missing module more must name negative no none NoneType not
number object of on only open operand operands or ordinal out over pack permitted pop position positional possible property
range read readonly recursion required result returned sequence set setter simple size start str string subscriptable substring
supported takes table than the to too truncated tuple type types unable unexpected unhashable unpack unsupported value values
was were while with without write zero division by schema constraint unique null such logic used before assignment local variable
referenced associated connection refused reset peer timed timeout broken pipe cancelled assertion stop generator already executing
property setter instance depth comparison between instances code surrogates allowed unterminated control character property
"""


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}


_KNOWN: Final = _words(_OFTEN) | _words(" ".join(map(os.strerror, errno.errorcode)))


def as_code_says(message: str, sources: Iterable[str]) -> str:
    """The message with a gap for each word that neither `sources` nor the language says."""
    known = _KNOWN | _words(" ".join(sources))
    pieces = [
        found.group() if _is_said(found, known) else _GAP
        for found in _TOKEN.finditer(message[:_LONGEST])
    ]
    return re.sub(rf"{_GAP}(?:[\s\W]*{_GAP})+", _GAP, "".join(pieces)).strip()


def _is_said(found: re.Match[str], known: set[str]) -> bool:
    text = found.group()
    if found["word"] is not None:
        return text.lower() in known
    if found["number"] is not None:
        return len(text) <= _LONGEST_NUMBER
    if text.isspace():
        return True
    return text.isprintable() and not text[0].isalnum() and text[0] != "_"
