"""How long clients are sent away for sessions in a journal that cannot be read. Pure: no trio, no clock, no I/O."""

from typing import Final

import attrs

from exai_trio import structs

PATIENCE_S: Final = 15.0


@structs.define(eq=False)
class ReadPatience:
    """Of each session, since it could not be read first. Where the journal is all that daemons share, it `lasts`: to begin anew would lose
    what runs elsewhere."""

    lasts: bool = False
    _since: dict[str, float] = attrs.field(factory=dict[str, float])

    def is_left(self, session_id: str, now: float) -> bool:
        """Whether the journal may soon be read again: then its clients had better wait than begin anew."""
        lately = {name: at for name, at in self._since.items() if now < at + 2 * PATIENCE_S}
        self._since = lately
        return self.lasts or now < lately.setdefault(session_id, now) + PATIENCE_S

    def forget(self, session_id: str) -> None:
        """It was read."""
        self._since.pop(session_id, None)
