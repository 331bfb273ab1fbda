"""What sessions ask of the other daemons that share the store: who has a session, and under which epoch it is written."""

from typing import Protocol

from ..calls.call_journal import CallJournal
from ..calls.recovery import OtherDaemon
from .session import Session


class SharedSessions(OtherDaemon, Protocol):
    """As an OtherDaemon it has what becomes of any call that is kept."""

    async def take(
        self, session_id: str, principal: str, known: Session | None, visit: int
    ) -> bool:
        """Have this session from now on, for a client that comes for the `visit`th time. True if it is had otherwise than in memory:
        then that one has been given up. Raises StorageError, also if the client has come to another daemon since; cancelled, it is
        taken or not."""
        ...

    def pages_of(self, session_id: str, principal: str, *, owned: bool) -> tuple[CallJournal, int]:
        """The journal of a session that is taken, or new, and its epoch; 0 where we own no session of that name."""
        ...
