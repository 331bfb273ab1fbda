"""Much output at once: one attachment after another, and beside other work no faster than anybody could read."""

from typing import Final

import attrs
import trio

from exai_trio import structs

MUCH: Final = 32_768  # bytes of output at once: a flood
BESIDE_OTHERS: Final = 8 * 2**20  # bytes a second of all floods together
_LASTS_S: Final = 1.0  # so long after a call or a key somebody is at work
_CALLS: Final = "calls"


@structs.define(eq=False)
class FloodPace:
    """A flood that is alone goes as fast as its client reads. It is not alone while within a second a call ended or a key was typed in
    another session, or while a second flood waits."""

    _turn: trio.Lock = attrs.field(factory=trio.Lock)
    _worked_at: dict[str, float] = attrs.field(factory=dict[str, float])

    def note_call(self, _ended: object) -> None:
        """A call has ended."""
        self.note_key(_CALLS)

    def note_key(self, session_id: str) -> None:
        """A key was typed in this session."""
        self._worked_at = {**self._lately(), session_id: trio.current_time()}

    async def wait(self, moved: int, session_id: str) -> None:
        """After so many bytes of this session's output, until more is due. Cancelling gives the turn back."""
        if moved < MUCH:
            return
        async with self._turn:
            await trio.sleep(0 if self._is_alone(session_id) else moved / BESIDE_OTHERS)

    def _is_alone(self, session_id: str) -> bool:
        return not self._turn.statistics().tasks_waiting and self._lately().keys() <= {session_id}

    def _lately(self) -> dict[str, float]:
        since = trio.current_time() - _LASTS_S
        return {who: at for who, at in self._worked_at.items() if at > since}
