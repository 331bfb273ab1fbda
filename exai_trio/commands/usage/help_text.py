"""Help as it is shown: by rich on a terminal, as plain text elsewhere; with examples at its end."""

from argparse import HelpFormatter
from collections.abc import Mapping
from typing import Final

from exai_trio.commands.console import Console
from exai_trio.commands.usage.parsing import Parser

_WIDEST: Final = 100  # longer lines are hard to read
_NARROWEST: Final = 30
_NARROW: Final = 60


def write_help(parser: Parser, environ: Mapping[str, str]) -> None:
    """Raises BrokenPipeError when nobody reads it."""
    console = Console.of_process(environ)
    width = max(_NARROWEST, min(_WIDEST, console.columns()))
    console.draw(_coloured(parser, width) if console.look.colour else plain(parser, width))


def plain(parser: Parser, width: int) -> str:
    """The help in lines of at most `width` characters, where words allow it."""

    def formatter(prog: str) -> HelpFormatter:
        return HelpFormatter(prog, width=width, max_help_position=_margin(width))

    parser.formatter_class = formatter
    _shorten_usage(parser, width)
    return parser.format_help() + _examples(parser, "{}", "{}")


def _coloured(parser: Parser, width: int) -> str:
    from rich.console import Console as Screen  # noqa: PLC0415  # for a terminal alone
    from rich_argparse import RichHelpFormatter  # noqa: PLC0415  # as above

    screen = Screen(width=width, force_terminal=True, color_system="standard", _environ={})

    def formatter(prog: str) -> RichHelpFormatter:
        return RichHelpFormatter(
            prog, width=width, max_help_position=_margin(width), console=screen
        )

    parser.formatter_class = formatter
    _shorten_usage(parser, width)
    return parser.format_help() + _examples(parser, "\x1b[33m{}\x1b[0m", "\x1b[36m{}\x1b[0m")


def _shorten_usage(parser: Parser, width: int) -> None:
    """Each option stands below anyway, and argparse would not break the line between an option and its value."""
    if parser.usage is None and width < _NARROW:
        parser.usage = f"{parser.prog} [options] …"


def _margin(width: int) -> int:
    """Where the explanations begin."""
    return 24 if width >= _NARROW else 10


def _examples(parser: Parser, heading: str, line: str) -> str:
    """A line that is too long is broken by the terminal: so it can be copied."""
    if not parser.examples:
        return ""
    shown = "".join(f"  {line.format(example)}\n" for example in parser.examples)
    return f"\n{heading.format('Examples:')}\n{shown}"
