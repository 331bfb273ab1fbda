"""The parts that commands' options are built of: the parser of one command, options that many have, and kinds of values."""

from argparse import ArgumentTypeError
from collections.abc import Callable
from math import isfinite
from typing import Final, Protocol, cast

from exai_trio.commands.usage.parser import Parser
from exai_trio.settings.values import Place, host

_USAGE_KEYS: Final = frozenset({"model", "tool", "project", "principal", "day", "hour"})


class Commands(Protocol):
    """argparse's own name for what `add_subparsers` returns is private."""

    def add_parser(self, name: str, *, help: str, description: str) -> Parser: ...  # noqa: A002  # argparse's name


class Outline:
    """Commands of which only the names and what they are for are wanted: who asks for help on all of them waits for it."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    def add_parser(self, name: str, *, help: str, description: str) -> Parser:  # noqa: A002  # argparse's name
        self._commands.add_parser(name, help=help, description=description)
        return cast("Parser", _Blank())


class _Blank:
    """Takes whatever is added, and keeps nothing."""

    examples: tuple[str, ...] = ()

    def __getattr__(self, _name: str) -> Callable[..., "_Blank"]:
        return self._take

    def _take(self, *_given: object, **_named: object) -> "_Blank":
        return self


def command(commands: Commands, name: str, about: str) -> Parser:
    return commands.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")


def place(parser: Parser) -> None:
    parser.add_argument("--host", help="the daemon's address")
    parser.add_argument("--port", help="the daemon's port")
    parser.add_argument("--home", metavar="DIR", help="where state, logs and files are")


def seconds(given: str) -> float:
    try:
        value = float(given)
    except ValueError:
        value = 0.0
    if not (isfinite(value) and value > 0):
        raise ArgumentTypeError(f"{given!r} is not a number of seconds above 0")
    return value


def text(given: str) -> str:
    """Bytes that are no UTF-8 arrive as half characters (lone surrogates), which cannot be sent or stored."""
    try:
        given.encode()
    except UnicodeEncodeError:
        raise ArgumentTypeError(f"{given!r} is not UTF-8") from None
    return given


def host_name(given: str) -> str:
    kind = host()
    try:
        kind.parse(given, Place())
    except ValueError:
        raise ArgumentTypeError(f"{given!r} is not {kind.allowed}") from None
    return given


def port(given: str) -> int:
    if not (given.isascii() and given.isdigit() and int(given) <= 65535):  # noqa: PLR2004  # TCP's
        raise ArgumentTypeError(f"{given!r} is not a port from 0 to 65535")
    return int(given)


def keys(given: str) -> tuple[str, ...]:
    """What usage is added up by."""
    named = tuple(name.strip() for name in given.split(","))
    if not set(named) <= _USAGE_KEYS:
        raise ArgumentTypeError(
            f"{given!r}: allowed are {', '.join(sorted(_USAGE_KEYS))}, with commas between"
        )
    return named


def count(given: str) -> int:
    if not (given.isascii() and given.isdigit() and 0 < int(given) < 1_000_000):  # noqa: PLR2004  # lines
        raise ArgumentTypeError(f"{given!r} is not a number from 1 to 999999")
    return int(given)
