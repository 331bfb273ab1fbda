"""Python that this Python cannot parse: newer, older, unfinished, with conflict marks. Pure.

A line that cannot be read costs that line.
"""

import ast
import re
from typing import Final

import attrs

from exai_trio import structs

# A file is parsed anew for each line that is in the way: this often, and so many characters in all.
_MOST_TRIES: Final = 300
_MOST_CHARACTERS: Final = 6_000_000

_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_INDENT: Final = re.compile(r"[ \t\f]*")
_CONFLICT: Final = re.compile(r"^(?:<{7}|\|{7}|={7}|>{7})(?: .*)?$")
# Newer and older forms, as this Python has them.
_FORMS: Final = (
    (re.compile(r"^(\s*(?:async\s+def|def|class)\s+\w+)\[.*?\](?=\s*[(:])"), r"\1"),
    (re.compile(r"^(\s*)type\s+(\w+)\s*(?:\[[^=]*\])?\s*=(?!=)"), r"\1\2 ="),
    (re.compile(r"^(\s*)(print|exec)[ \t]+(?![=(>])(.+?),?\s*$"), r"\1\2(\3)"),
)
_HEADER: Final = re.compile(r"\s*(\w+).*:\s*(?:#.*)?$")
_INSTEAD: Final = {"except": "except Exception:", "case": "case _:", "elif": "elif 1:"}
_EMPTY_BLOCK: Final = re.compile(r"expected an indented block after .* on line (\d+)")
_OPEN_TRY: Final = re.compile(r"\s*try\s*:")


@structs.frozen
class Parsed:
    """The tree of what could be read, and the numbers of the lines that could not, in order."""

    tree: ast.Module
    left_out: tuple[int, ...]


def parse(text: str) -> Parsed:
    """Raises: SyntaxError, ValueError if nothing can be read; RecursionError, MemoryError if it is nested too deeply."""
    try:
        return Parsed(ast.parse(text), ())
    except SyntaxError as fault:
        first = fault
    mending = _Mending([_in_our_form(line) for line in _LINE_END.split(text)])
    tree = mending.parsed(first)
    if all(isinstance(each, ast.Pass) for each in tree.body):
        raise first
    return Parsed(tree, tuple(sorted(mending.left_out)))


def _in_our_form(line: str) -> str:
    for form, ours in _FORMS:
        line = form.sub(ours, line)
    return line


@structs.define
class _Mending:
    """The lines of a file while those in the way of a parse are replaced; numbers count from 1."""

    lines: list[str]
    left_out: set[int] = attrs.field(factory=set[int])

    def parsed(self, first: SyntaxError) -> ast.Module:
        """Raises `first`, what was wrong at the beginning, if there is no end of it."""
        self._leave_out(*(n for n, line in enumerate(self.lines, 1) if _CONFLICT.match(line)))
        text = "\n".join(self.lines)
        for _ in range(min(_MOST_TRIES, 1 + _MOST_CHARACTERS // (len(text) + 1))):
            try:
                return ast.parse(text)
            except SyntaxError as fault:
                if not self._mend(fault):
                    break
            text = "\n".join(self.lines)
        raise first

    def _leave_out(self, *numbers: int) -> None:
        for number in numbers:
            self.left_out.add(number)
            self.lines[number - 1] = ""

    def _mend(self, fault: SyntaxError) -> bool:
        """Replace the line that is at fault; False if there is none, or it is empty already."""
        number = min(fault.lineno or 0, len(self.lines))
        empty = _EMPTY_BLOCK.match(fault.msg)
        if empty:
            return self._fill(int(empty[1]))
        if fault.msg.startswith("expected 'except'"):
            number = self._try_before(number) or number
        if number == 0 or not self.lines[number - 1].strip():
            return False
        self._replace(number)
        return True

    def _fill(self, number: int) -> bool:
        """Give the header at this line, which nothing follows, a body."""
        line = self.lines[number - 1].rstrip()
        if not line.endswith(":"):
            self._leave_out(number)
            return bool(line)
        self.left_out.add(number)
        self.lines[number - 1] = f"{line} pass"
        return True

    def _try_before(self, number: int) -> int:
        """The newest `try` before the line; 0 if there is none."""
        return next((n for n in range(number, 0, -1) if _OPEN_TRY.match(self.lines[n - 1])), 0)

    def _replace(self, number: int) -> None:
        """By a header of no meaning where the line is one, else by nothing; what was replaced before goes altogether."""
        line = self.lines[number - 1]
        if number in self.left_out:
            self.lines[number - 1] = ""
            return
        self.left_out.add(number)
        header = _HEADER.match(line)
        instead = _INSTEAD.get(header[1], "if 1:") if header else "pass"
        self.lines[number - 1] = f"{_indent(line)}{instead}"


def _indent(line: str) -> str:
    found = _INDENT.match(line)
    return found[0] if found else ""
