"""Who may have, see and end terminal sessions, and how many there may be. Pure: no trio, no clock, no I/O."""

from collections.abc import Iterable
from typing import Final

from exai_trio import structs
from exai_trio.wire.terminal_errors import TerminalError

from .session_record import SessionRecord

SCOPE: Final = "terminal"  # that a JWT must have


@structs.frozen(kw_only=True)
class Visitor:
    """Whoever asks; `is_admin` sees and ends everybody's sessions."""

    principal: str
    is_admin: bool = False


def may_see(visitor: Visitor, record: SessionRecord) -> bool:
    return visitor.is_admin or visitor.principal == record.principal


def check_room(
    records: Iterable[SessionRecord], visitor: Visitor, most: int, most_of_one: int
) -> None:
    """Raises TerminalError if one more session is too many; those that have ended do not count."""
    running = [record for record in records if record.is_running]
    own = sum(record.principal == visitor.principal for record in running)
    if len(running) >= most:
        raise TerminalError(
            "SESSION_LIMIT", f"{most} terminal sessions run already (EXAI_TERM_MAX); end one"
        )
    if own >= most_of_one:
        raise TerminalError(
            "SESSION_LIMIT",
            f"{most_of_one} terminal sessions of yours run already (EXAI_TERM_MAX_PER_PRINCIPAL); end one",
        )


def free_name(records: Iterable[SessionRecord], type_: str) -> str:
    """A name that no session has: the type, with a number."""
    taken = {record.tab_name for record in records}
    return next(
        name for number in range(1, len(taken) + 2) if (name := f"{type_} {number}") not in taken
    )


def meant(records: Iterable[SessionRecord], reference: str) -> SessionRecord:
    """The session with this id or name, or the one whose id begins so. Raises TerminalError."""
    found = list(records)
    for matching in (
        [one for one in found if one.session_id == reference],
        [one for one in found if one.tab_name == reference],
        [one for one in found if one.session_id.startswith(reference)],
        [one for one in found if one.session_id.rpartition("_")[2].startswith(reference)],
    ):
        if len(matching) == 1:
            return matching[0]
        if matching:
            raise TerminalError(
                "SESSION_NOT_FOUND",
                f"{len(matching)} sessions are meant by {reference!r}; give more of the id",
            )
    raise not_found(reference)


def not_found(reference: str) -> TerminalError:
    """The same words for a session that is not, and for one that is somebody else's."""
    return TerminalError(
        "SESSION_NOT_FOUND",
        f"there is no session {reference!r} here; `exai term list` shows which there are",
    )
