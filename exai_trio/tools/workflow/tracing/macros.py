"""C and C++ sources without the macros that their grammar takes for names: blanks stand in their place. Pure."""

import re
from typing import Final

# `class MYLIB_API Name {`: two names in a row are no C++, so the first is a macro. Of structs and the like, whose variables may
# stand so, only one that looks like a macro.
_LOUD: Final = r"(?:[A-Z_][A-Z0-9_]+|\w*(?i:export|_api|visib)\w*)(?:\s*\([^()\n]*\))?"
_MACRO: Final = re.compile(
    rf"\b(?:class|struct|union|enum(?:\s+(?:class|struct))?)\s+(?P<loud>{_LOUD}(?:\s+{_LOUD})*)"
    r"(?=\s+[A-Za-z_]\w*(?:\s*<[^;{}]{0,200}>)?(?:\s+final)?\s*(?:\{|:(?!:)))"
)
_CLASS: Final = re.compile(
    r"\bclass\s+(?P<loud>[A-Za-z_]\w*)(?=\s+(?!final\b)[A-Za-z_]\w*(?:\s+final)?\s*(?:\{|:(?!:)))"
)
_QT: Final = re.compile(
    r"^[ \t]*(?P<loud>Q_OBJECT|Q_GADGET|Q_NAMESPACE|GENERATED_BODY\(\))[ \t]*$"
    r"|^[ \t]*(?:public|protected|private)[ \t]+(?P<slots>slots|Q_SLOTS)[ \t]*:",
    re.MULTILINE,
)


def blanked(text: str) -> str:
    """The text with as many lines, characters and bytes: what is not ASCII stays."""
    for pattern in (_MACRO, _CLASS, _QT):
        text = pattern.sub(_blank, text)
    return text


def _blank(found: re.Match[str]) -> str:
    group = found.lastgroup or 0
    start, end = (each - found.start() for each in found.span(group))
    whole = found.group()
    middle = "".join(" " if c.isascii() and c not in "\r\n" else c for c in whole[start:end])
    return whole[:start] + middle + whole[end:]
