"""What goes wrong with a WebSocket: it is over, nobody can be reached, nobody listens."""

from typing import cast

from exai_trio import structs


@structs.define(kw_only=True, eq=False, str=False)
class PeerGone(Exception):
    """The connection is over. `code` is the WebSocket close code, 1006 if there was none."""

    code: int = 1006
    reason: str = ""

    def __str__(self) -> str:
        return f"connection closed ({self.code}) {self.reason}".rstrip()


class Unreachable(Exception):
    """Nobody answers at that address, or it does not speak WebSocket."""


class NotListening(Unreachable):
    """The address refuses connections: another attempt costs nobody anything."""


def all_refused(cause: BaseException | None) -> bool:
    """Whether every address of the host refused; `cause` is the one fault, or a group of one for each address."""
    if isinstance(cause, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", cause)
        return all(all_refused(one) for one in group.exceptions)
    return isinstance(cause, ConnectionRefusedError)
