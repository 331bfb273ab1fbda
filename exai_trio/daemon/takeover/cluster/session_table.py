"""What the daemon's sessions are to a daemon among others."""

from collections.abc import Callable
from typing import Protocol

from exai_trio.storage.journal import KeptCall

from ...calls.call import Recipient
from ...calls.execution import Work
from ...calls.lifecycle import Calls
from ...sessions.session import Session


class SessionTable(Protocol):
    """What is asked of the daemon's sessions."""

    @property
    def table(self) -> dict[str, Session]: ...

    @property
    def calls(self) -> Calls: ...

    def run_claimed(
        self, kept: KeptCall, recipient: Recipient, guarded: Callable[[Work], Work]
    ) -> None:
        """Run it, as guarded, for whoever has its session. Raises WireError, TypeError: it cannot be read."""
        ...
