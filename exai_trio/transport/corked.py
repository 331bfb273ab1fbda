"""A stream whose writes can be held back and sent as one, and that knows when a write was cut."""

import attrs
import trio


@attrs.define(eq=False)
class CorkedStream(trio.abc.Stream):
    """Between `cork` and `uncork` writes are gathered; several tasks may write.

    `cut` is true once a write was cancelled or failed midway: the peer would read the next bytes as part of the old ones.
    """

    _stream: trio.abc.Stream
    cut: bool = False
    _held: list[bytes] | None = None
    _sending: trio.StrictFIFOLock = attrs.field(factory=trio.StrictFIFOLock)

    def cork(self) -> None:
        self._held = []

    async def uncork(self) -> None:
        """Send what was gathered. Raises BrokenResourceError or ClosedResourceError."""
        held, self._held = self._held, None
        if held:
            await self._send(b"".join(held) if len(held) > 1 else held[0])

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self._held is not None:
            self._held.append(bytes(data))
        else:
            await self._send(data)

    async def _send(self, data: bytes | bytearray | memoryview) -> None:
        async with self._sending:
            if self.cut:
                raise trio.BrokenResourceError("an earlier write was cut")
            done = False
            try:
                await self._stream.send_all(data)
                done = True
            finally:
                self.cut = not done

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def linger(self) -> None:
        """Read and drop until the peer closes, so that it can still read our last words. The caller bounds the time.

        Nobody else may be reading.
        """
        try:
            if isinstance(self._stream, trio.abc.HalfCloseableStream):
                await self._stream.send_eof()
            while await self._stream.receive_some(65_536):
                pass
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
