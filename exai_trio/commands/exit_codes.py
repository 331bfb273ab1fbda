"""What a failure means for somebody at a shell: one line and an exit code."""

from collections.abc import Iterator
from typing import cast

from exai_trio import structs
from exai_trio.commands.calling.key_value import WordError
from exai_trio.errors import ArgumentError, ExaiError
from exai_trio.providers import providers_file
from exai_trio.transport import token_file
from exai_trio.transport.websocket import PeerGone, Unreachable
from exai_trio.wire.terminal_errors import TerminalError

FAILED, USAGE, NO_DAEMON = 1, 2, 75


@structs.frozen
class Explained:
    text: str
    code: int


def explained(fault: BaseException) -> Explained | None:
    """The line for a failure that can happen to anybody, or None for one that is our fault."""
    known = [_line(leaf) for leaf in _leaves(fault)]
    if not known or None in known:
        return None
    return known[0]


def first_of(fault: BaseException) -> BaseException:
    """The fault, or the first one of a group."""
    return next(_leaves(fault))


def _line(fault: BaseException) -> Explained | None:
    match fault:
        case (
            WordError()
            | ArgumentError(
                details={"field": providers_file.VARIABLE | token_file.VARIABLE | "EXAI_TERMINALS"}
            )
        ):
            return Explained(str(fault), USAGE)
        case TerminalError():
            return Explained(f"{fault.code}: {fault}", FAILED)
        case ExaiError():
            return Explained(f"{fault.code}: {fault}", FAILED)
        case Unreachable():
            text = f"{fault}; start the daemon with `exai serve`, or ask `exai doctor`"
            return Explained(text, NO_DAEMON)
        case PeerGone():
            text = f"the daemon is gone ({fault}); a call that it had accepted may still run"
            return Explained(text, FAILED)
        case _:
            return None


def _leaves(fault: BaseException) -> Iterator[BaseException]:
    if isinstance(fault, BaseExceptionGroup):
        for part in cast("BaseExceptionGroup[BaseException]", fault).exceptions:
            yield from _leaves(part)
    else:
        yield fault
