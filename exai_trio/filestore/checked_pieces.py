"""The pieces of an open file, checked before they are handed on: two are checked while the one before them is stored."""

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import BinaryIO, Final

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import ArgumentError, ExaiError
from exai_trio.filestore.local_objects import PIECE
from exai_trio.system.exception_groups import first_of

_AHEAD: Final = 2  # pieces

Check = Callable[[bytes], Callable[[], None]]
"""Told of the pieces in order; what it returns checks one, in any thread, and raises ArgumentError."""


@structs.define(eq=False)
class _Piece:
    content: bytes
    fault: ArgumentError | None = None
    is_checked: trio.Event = attrs.field(factory=trio.Event)


@structs.define(eq=False)
class _CheckedPieces:
    """An asynchronous iterator."""

    _file: BinaryIO
    _limiter: trio.CapacityLimiter
    _check: Check
    _checking: trio.Nursery
    _ahead: deque[_Piece] = attrs.field(factory=deque[_Piece])

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while len(self._ahead) < _AHEAD and (content := await self._read()):
            piece = _Piece(content)
            self._ahead.append(piece)
            self._checking.start_soon(self._look, piece, self._check(content))
        if not self._ahead:
            raise StopAsyncIteration
        piece = self._ahead.popleft()
        await piece.is_checked.wait()
        if piece.fault is not None:
            raise piece.fault
        return piece.content

    async def _read(self) -> bytes:
        return await trio.to_thread.run_sync(self._file.read, PIECE, limiter=self._limiter)

    async def _look(self, piece: _Piece, check: Callable[[], None]) -> None:
        try:
            await trio.to_thread.run_sync(check, limiter=self._limiter)
        except ArgumentError as fault:
            piece.fault = fault
        piece.is_checked.set()


@asynccontextmanager
async def checked_pieces(
    file: BinaryIO, limiter: trio.CapacityLimiter, check: Check
) -> AsyncGenerator[AsyncIterator[bytes]]:
    """Those from where the file stands. Reading on raises ArgumentError for a piece that is not to be handed on; ExaiErrors of the block
    leave as they are. Cancelling waits for what is being checked."""
    fault: ExaiError | None = None
    try:
        async with trio.open_nursery() as checking:
            yield _CheckedPieces(file, limiter, check, checking)
            checking.cancel_scope.cancel(reason="nobody reads on")
    except* ExaiError as group:
        fault = first_of(group)
    if fault is not None:
        raise fault
