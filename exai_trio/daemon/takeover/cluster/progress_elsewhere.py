"""What calls say that run here for clients of other daemons: told twice a second, and lost rather than late."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import attrs
import trio

from exai_trio import structs
from exai_trio.storage.shared.shared_calls import Said
from exai_trio.system.change import Change
from exai_trio.system.disk import fault_of
from exai_trio.wire.codec import encode
from exai_trio.wire.messages import Droppable, StreamChunk

from ...calls.call_journal import key_of

_EVERY_S: Final = 0.5
_MOST: Final = 256  # frames of all calls, each of which fits into a notification of 8 KB


@structs.define(eq=False)
class ProgressElsewhere:
    """`say` tells them. The newest progress of a call stands for what it said before; what finds no room is dropped."""

    say: Callable[[Sequence[Said]], Awaitable[None]]
    _waiting: dict[tuple[str, str, int], Said] = attrs.field(
        factory=dict[tuple[str, str, int], Said]
    )
    _change: Change = attrs.field(factory=Change)

    def offer(self, session: str, message: Droppable) -> None:
        index = message.index if isinstance(message, StreamChunk) else -1
        name = session, key_of(message.request_id)
        if (*name, index) in self._waiting or len(self._waiting) < _MOST:
            self._waiting[(*name, index)] = Said(name, encode(message))
            self._change.tell()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            if not self._waiting:
                await self._change.wait()
            said, self._waiting = (*self._waiting.values(),), {}
            await fault_of(partial(self.say, said))  # which the store has told
            await trio.sleep(_EVERY_S)
