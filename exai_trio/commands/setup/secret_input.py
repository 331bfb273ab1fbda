"""A secret from who types it, unseen, or from a pipe: never from a command line, which other users and histories see."""

import getpass
import sys
from typing import Final

from exai_trio.errors import ArgumentError

_MOST_BYTES: Final = 16_384


def read_secret(name: str) -> str:
    """What is typed, or the first line of stdin where that is no terminal. Raises ArgumentError if there is none.

    Who interrupts the prompt gets their terminal back as it was.
    """
    text = getpass.getpass(f"{name}: ") if _is_typed() else _piped(name)
    if not (found := text.strip()):
        raise _refusal(name, "nothing came")
    return found


def _is_typed() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()  # None where it is closed


def _piped(name: str) -> str:
    if sys.stdin is None:
        raise _refusal(name, "stdin is closed")
    line = sys.stdin.buffer.readline(_MOST_BYTES + 1)
    if len(line) > _MOST_BYTES:
        raise _refusal(name, f"the first line of stdin has more than {_MOST_BYTES} bytes")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise _refusal(name, "stdin is not UTF-8") from fault


def _refusal(name: str, why: str) -> ArgumentError:
    return ArgumentError(
        f"{name}: {why}. Type it at the prompt of `exai config set {name}`, or pipe one line into that",
        details={"field": name},
    )
