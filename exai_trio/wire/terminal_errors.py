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


def _row(code: str, action: Action, close_code: int | None, about: str) -> Recovery:
    recoverable = action in {"retry", "resend"}
    return Recovery(
        code=code, recoverable=recoverable, action=action, close_code=close_code, about=about
    )


_ROWS: Final = (
    _row(
        "CONNECTION_ERROR",
        "retry",
        1013,
        "the line or the daemon is away: try again, at once and then less and less often, without end",
    ),
    _row(
        "INPUT_FULL",
        "resend",
        None,
        "the program does not read what is typed: send the same number again when some of it is taken",
    ),
    _row(
        "SESSION_NOT_FOUND",
        "recreate",
        4004,
        "there is no such session here, or it is somebody else's: make a new one if that was asked for, else end",
    ),
    _row(
        "AUTH_ERROR",
        "authenticate",
        4003,
        "the credential is not good: fetch it anew once, then ask for it",
    ),
    _row("INVALID_SESSION_ID", "show", 1002, "that is no id of a session"),
    _row("SESSION_LIMIT", "show", 1008, "there are as many sessions, or clients, as may be"),
    _row("NOT_ALLOWED", "show", 1008, "this client may not do that"),
    _row(
        "LINE_TOO_LONG",
        "show",
        None,
        "the program reads lines, and the kernel would cut this one: nothing of it was typed",
    ),
    _row("ENDED", "show", 1000, "the program has ended"),
    _row(
        "DISABLED", "show", 1008, "terminals are switched off: EXAI_TERMINALS=true switches them on"
    ),
    _row("INVALID_REQUEST", "show", 1008, "the request cannot be meant; nothing was changed"),
    _row("NOT_STARTED", "show", 1011, "the program or its terminal could not be started"),
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
