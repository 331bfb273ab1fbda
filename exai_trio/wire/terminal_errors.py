"""What can go wrong with a terminal session, and what every client does then: one row for each code. Pure: no trio, no clock, no I/O.

The command line reads this table, the daemon sends its words with each error, and a page is given it as data.
"""

from typing import Any, Final, Literal

import attrs

from exai_trio import structs

Action = Literal["retry", "resend", "recreate", "authenticate", "show"]


@structs.frozen(kw_only=True)
class Recovery:
    """`action` is what a client does; `close_code` is what the daemon closes the WebSocket with, if it does."""

    code: str
    recoverable: bool
    action: Action
    close_code: int | None = None
    about: str


_ROWS: Final = (
    Recovery(
        code="CONNECTION_ERROR",
        recoverable=True,
        action="retry",
        close_code=1013,
        about="the line or the daemon is away: try again, at once and then less and less often, without end",
    ),
    Recovery(
        code="INPUT_FULL",
        recoverable=True,
        action="resend",
        about="the program does not read what is typed: send the same number again when some of it is taken",
    ),
    Recovery(
        code="SESSION_NOT_FOUND",
        recoverable=False,
        action="recreate",
        close_code=4004,
        about="there is no such session here, or it is somebody else's: make a new one if that was asked for, else end",
    ),
    Recovery(
        code="AUTH_ERROR",
        recoverable=False,
        action="authenticate",
        close_code=4003,
        about="the credential is not good: fetch it anew once, then ask for it",
    ),
    Recovery(
        code="INVALID_SESSION_ID",
        recoverable=False,
        action="show",
        close_code=1002,
        about="that is no id of a session",
    ),
    Recovery(
        code="SESSION_LIMIT",
        recoverable=False,
        action="show",
        close_code=1008,
        about="there are as many sessions, or clients, as may be",
    ),
    Recovery(
        code="NOT_ALLOWED",
        recoverable=False,
        action="show",
        close_code=1008,
        about="this client may not do that",
    ),
    Recovery(
        code="LINE_TOO_LONG",
        recoverable=False,
        action="show",
        about="the program reads lines, and the kernel would cut this one: nothing of it was typed",
    ),
    Recovery(
        code="ENDED",
        recoverable=False,
        action="show",
        close_code=1000,
        about="the program has ended",
    ),
    Recovery(
        code="DISABLED",
        recoverable=False,
        action="show",
        close_code=1008,
        about="terminals are switched off: EXAI_TERMINALS=true switches them on",
    ),
    Recovery(
        code="INVALID_REQUEST",
        recoverable=False,
        action="show",
        close_code=1008,
        about="the request cannot be meant; nothing was changed",
    ),
    Recovery(
        code="NOT_STARTED",
        recoverable=False,
        action="show",
        close_code=1011,
        about="the program or its terminal could not be started",
    ),
)
TABLE: Final = {row.code: row for row in _ROWS}


@structs.define(eq=False, str=False)
class TerminalError(Exception):
    """A request about a terminal that is not granted."""

    code: str
    message: str

    @classmethod
    def of(cls, fields: dict[str, Any]) -> "TerminalError":
        """The one that a frame tells."""
        return cls(str(fields.get("code")), str(fields.get("message")))

    def __str__(self) -> str:
        return self.message

    @property
    def recovery(self) -> Recovery:
        return recovery(self.code)

    def told(self) -> dict[str, Any]:
        """As a frame tells it."""
        row = self.recovery
        return {
            "code": row.code,
            "message": self.message,
            "recoverable": row.recoverable,
            "action": row.action,
        }


def recovery(code: str) -> Recovery:
    """What to do about this code; a code that is not known is shown, and no more."""
    return TABLE.get(code) or attrs.evolve(TABLE["INVALID_REQUEST"], code=code)


def as_data() -> list[dict[str, Any]]:
    """The table for a program in another language."""
    return [attrs.asdict(row) for row in TABLE.values()]
