"""What clients have acknowledged, told to the journal now and then."""

from collections.abc import Iterable

import attrs

from exai_trio import structs
from exai_trio.storage.journal import Journal

from .session import Session


@structs.define(eq=False)
class AckNotes:
    """`ended` has the last numbers of sessions that are no more, until they are told."""

    ended: dict[str, int] = attrs.field(factory=dict[str, int])

    async def tell(self, journal: Journal, sessions: Iterable[Session]) -> None:
        """What is new since the last time. Raises StorageError. Cancelled, it tells the same again the next time."""
        due = [s for s in sessions if s.rules.acked > s.acked_on_disk]
        acked = self.ended | {session.id: session.rules.acked for session in due}
        if not acked:
            return
        sure = {one.id: told for one in due if (told := one.handles.sure(acked[one.id]))}
        await journal.acknowledge(acked, sure)
        for name, seq in acked.items():
            if self.ended.get(name) == seq:
                del self.ended[name]
        for session in due:
            session.acked_on_disk = acked[session.id]
            session.handles.kept(acked[session.id])
