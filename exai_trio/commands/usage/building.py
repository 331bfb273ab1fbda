"""The parts that commands' options are built of: the parser of one command, options that many have, and kinds of values."""

from argparse import ArgumentTypeError
from math import isfinite
from typing import Protocol

from exai_trio.commands.usage.parsing import Parser
from exai_trio.settings.values import Place, host


class Commands(Protocol):
    """argparse's own name for what `add_subparsers` returns is private."""

    def add_parser(self, name: str, *, help: str, description: str) -> Parser: ...  # noqa: A002  # argparse's name


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


def count(given: str) -> int:
    if not (given.isascii() and given.isdigit() and 0 < int(given) < 1_000_000):  # noqa: PLR2004  # lines
        raise ArgumentTypeError(f"{given!r} is not a number from 1 to 999999")
    return int(given)
