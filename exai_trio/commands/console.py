"""Where a command says what it has to say: answers on stdout, everything else on stderr."""

import sys
from collections.abc import Iterable, Sequence
from io import TextIOWrapper
from typing import TextIO

from exai_trio import structs

_KEPT = frozenset("\n\t")


@structs.frozen(kw_only=True)
class Console:
    """`live` is true when a person watches stderr; `screen` when a person watches stdout."""

    out: TextIO
    err: TextIO
    live: bool = False
    screen: bool = False

    @classmethod
    def of_process(cls) -> "Console":
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # rather a strange letter than none
        return cls(
            out=sys.stdout, err=sys.stderr, live=sys.stderr.isatty(), screen=sys.stdout.isatty()
        )

    def say(self, text: str, end: str = "\n") -> None:
        """Write to stdout at once. Raises BrokenPipeError when nobody reads it any more."""
        self.out.write((harmless(text) if self.screen else text) + end)
        self.out.flush()

    def note(self, text: str, end: str = "\n") -> None:
        """Write to stderr; if that is closed, nowhere."""
        try:
            self.err.write(harmless(text) + end)
            self.err.flush()
        except (OSError, ValueError):
            # audit: empty-handler, because stderr is closed and there is nowhere else to say it
            return

    def status(self, text: str) -> None:
        """Show one passing line to somebody who watches; the next one replaces it."""
        if self.live:
            self.erase()
            self.note(harmless(text)[:100], end="")

    def erase(self) -> None:
        if self.live:
            try:
                self.err.write("\r\x1b[K")
                self.err.flush()
            except (OSError, ValueError):
                # audit: empty-handler, because stderr is closed and there is nothing to erase
                return


def harmless(text: str) -> str:
    """The text without the control characters that a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(letter for letter in text if letter in _KEPT or letter.isprintable())


def columns(rows: Iterable[Sequence[str]]) -> str:
    """The rows with their columns under each other; the last column is not padded."""
    lines = [tuple(row) for row in rows]
    if not lines:
        return ""
    widths = [max(len(row[place]) for row in lines) for place in range(len(lines[0]) - 1)]
    return "\n".join(
        "  ".join(
            [*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]
        ).rstrip()
        for row in lines
    )
