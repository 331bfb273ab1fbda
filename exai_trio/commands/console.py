"""Where a command says what it has to say: answers on stdout, everything else on stderr."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import StringIO, TextIOWrapper
from typing import TextIO

import attrs

from exai_trio import structs
from exai_trio.commands.terminal.appearance import Appearance, appearance
from exai_trio.commands.terminal.text_width import cells, cut, wrapped

_KEPT = frozenset("\n\t")
_USUAL_COLUMNS = 80
_FEWEST_COLUMNS = 20
_HINT = "      "


def _usual() -> int:
    return _USUAL_COLUMNS


@structs.frozen(kw_only=True)
class Console:
    """`live` is true when a person watches stderr; `screen` when a person watches stdout. `columns` asks the terminal anew
    each time: it may be resized."""

    out: TextIO
    err: TextIO
    live: bool = False
    screen: bool = False
    look: Appearance = attrs.Factory(lambda self: Appearance(passing=self.live), takes_self=True)
    columns: Callable[[], int] = _usual

    @classmethod
    def of_process(
        cls, environ: Mapping[str, str] | None = None, *, plain: bool = False
    ) -> "Console":
        out, err = (stream or StringIO() for stream in (sys.stdout, sys.stderr))  # None: closed
        for stream in (out, err):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # rather a strange letter than none
        live, screen = err.isatty(), out.isatty()
        return cls(
            out=out,
            err=err,
            live=live,
            screen=screen,
            look=appearance(environ or {}, screen=screen, live=live, plain=plain),
            columns=_columns_of((environ or {}).get("COLUMNS", "")),
        )

    @property
    def width(self) -> int | None:
        """The cells of a line on stdout; None where nobody watches, and lines may be as long as they are."""
        return self.columns() if self.screen else None

    def say(self, text: str, end: str = "\n") -> None:
        """Write to stdout at once. Raises BrokenPipeError when nobody reads it any more."""
        self.out.write((harmless(text) if self.screen else text) + end)
        self.out.flush()

    def say_json(self, value: object) -> None:
        """Raises BrokenPipeError."""
        self.say(json.dumps(value, ensure_ascii=False, indent=2))

    def tell(self, text: str) -> None:
        """Write lines to stdout; on a terminal in lines that it holds."""
        if self.screen:
            text = "\n".join(wrapped(harmless(text), self.columns(), "  "))
        self.say(text)

    def draw(self, text: str) -> None:
        """Write to stdout what was made for a terminal, of harmless text."""
        self.out.write(text)
        self.out.flush()

    def note(self, text: str, end: str = "\n") -> None:
        """Write to stderr, in lines that the terminal holds; if that is closed, nowhere."""
        clean = harmless(text)
        if self.live and end:
            clean = "\n".join(wrapped(clean, self.columns(), _HINT))
        self._write_aside(clean + end)

    def hint(self, text: str) -> None:
        """Write to stderr in one piece what is meant to be copied."""
        self._write_aside(harmless(text) + "\n")

    def status(self, text: str) -> None:
        """Show one passing line to somebody who watches; the next one replaces it."""
        if self.look.passing:
            self.erase()
            self._write_aside(cut(harmless(text).replace("\n", " "), self.columns() - 1))

    def erase(self) -> None:
        if self.look.passing:
            self._write_aside("\r\x1b[K")

    def _write_aside(self, text: str) -> None:
        try:
            self.err.write(text)
            self.err.flush()
        except (OSError, ValueError):
            # audit: empty-handler, because stderr is closed and there is nowhere else to say it
            return


def _columns_of(told: str) -> Callable[[], int]:
    """The columns of whatever terminal there is, else as COLUMNS says."""

    def columns() -> int:
        for stream in (sys.stdout, sys.stderr):
            try:
                found = os.get_terminal_size(stream.fileno()).columns
            except (AttributeError, OSError, ValueError):  # AttributeError: closed
                # audit: silent-loop, because the next stream is asked
                continue
            return max(found or _USUAL_COLUMNS, _FEWEST_COLUMNS)
        is_number = told.isascii() and told.isdigit() and len(told) < 5  # noqa: PLR2004  # digits
        return max(int(told), _FEWEST_COLUMNS) if is_number else _USUAL_COLUMNS

    return columns


def harmless(text: str) -> str:
    """The text without the control characters that a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(letter for letter in text if letter in _KEPT or letter.isprintable())


def columns(rows: Iterable[Sequence[str]], width: int | None = None) -> str:
    """The rows with their columns under each other; the last column is not padded. With a `width`, what does not fit is
    cut: from the last column first."""
    lines = [tuple(row) for row in rows]
    if not lines:
        return ""
    widths = [max(cells(row[place]) for row in lines) for place in range(len(lines[0]) - 1)]
    padded = (
        "  ".join(
            [*(_filled(cell, most) for cell, most in zip(row, widths, strict=False)), row[-1]]
        ).rstrip()
        for row in lines
    )
    return "\n".join(line if width is None else cut(line, width) for line in padded)


def _filled(text: str, width: int) -> str:
    return text + " " * (width - cells(text))
