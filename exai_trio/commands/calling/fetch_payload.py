"""The text of a large result, fetched in pieces and kept over connections that break."""

import attrs

from exai_trio import structs
from exai_trio.commands.client import Client
from exai_trio.errors import ProtocolError
from exai_trio.wire.codec import WireError
from exai_trio.wire.messages import CallFailed, CallResult, ErrorReply, Outcome
from exai_trio.wire.payload_download import PayloadDownload, with_whole_text
from exai_trio.wire.payload_frames import Piece


@structs.define(eq=False)
class FetchedPayload:
    """What has come so far of one result."""

    result: CallResult
    download: PayloadDownload
    _bytes: bytearray = attrs.field(factory=bytearray)

    async def rest(self, client: Client) -> Outcome:
        """The result with its whole text, or why it cannot be had. Raises PeerGone, ProtocolError. Cancelled, what came is kept for
        the next connection."""
        self.download.reconnect()
        while not self.download.is_complete:
            for request in self.download.due():
                await client.send(request)
            refused = self._take(await client.receive_any())
            if refused is not None:
                return refused
        fault = self.download.fault()
        if fault is not None:
            return CallFailed(request_id=self.result.request_id, error=fault)
        await client.send(self.download.acknowledgement())
        return with_whole_text(self.result, self._bytes.decode(errors="replace"))

    def _take(self, heard: object) -> CallFailed | None:
        """Why it cannot be had, if this says so."""
        match heard:
            case Piece():
                try:
                    self._bytes += self.download.take(heard)
                except WireError as fault:
                    raise ProtocolError(str(fault)) from fault
            case ErrorReply(request_id=request_id) if request_id == self.result.request_id:
                return CallFailed(request_id=request_id, error=heard.error)
            case _:
                pass
        return None
