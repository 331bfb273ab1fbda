"""The large results that are on their way to this client in pieces: short ones gather in memory, long ones go straight to a file.

One step for each thing that happens. Writing a piece to its file goes to memory, not to the disk.
"""

import logging
from pathlib import Path
from typing import BinaryIO, Final

import attrs

from exai_trio import structs
from exai_trio.mcp.calls.json_excerpt import JsonExcerpt
from exai_trio.mcp.calls.large_results import MAX_ANSWER, LargeResults
from exai_trio.mcp.calls.results import local_fault
from exai_trio.wire.codec import WireError
from exai_trio.wire.messages import (
    ANSWER_NOT_KEPT,
    CallFailed,
    CallResult,
    Outcome,
    PayloadAck,
    PayloadGet,
    RequestId,
)
from exai_trio.wire.payload_download import PayloadDownload, with_whole_text
from exai_trio.wire.payload_frames import decode_piece, reference_in

log = logging.getLogger("exai.shim")

NOT_FETCHED: Final = "The call ran, and its answer could not be fetched."


@structs.define(eq=False)
class InMemory:
    """A text that is answered whole."""

    _bytes: bytearray = attrs.field(factory=bytearray)

    def add(self, data: bytes) -> None:
        self._bytes += data

    def outcome(self, result: CallResult) -> CallResult:
        """Raises UnicodeError."""
        return with_whole_text(result, self._bytes.decode())

    def discard(self) -> None:
        self._bytes.clear()


@structs.define(eq=False)
class InFile:
    """A text that no editor's line holds: its beginning is answered, and where the rest is."""

    large: LargeResults
    size: int
    path: Path
    file: BinaryIO
    _excerpt: JsonExcerpt = attrs.field(factory=JsonExcerpt)

    def add(self, data: bytes) -> None:
        """Raises OSError."""
        left = memoryview(data)
        while left:
            left = left[self.file.write(left) :]
        self._excerpt.feed(data)

    def outcome(self, result: CallResult) -> CallResult:
        self.file.close()
        first, fields = result.outputs[0], None
        try:
            fields = self._excerpt.fields()
        except (ValueError, RecursionError) as other:
            log.debug("large answer is no object", extra={"reason": str(other)})
        text = self.large.told(self.path, self.size, first.text, fields)
        return attrs.evolve(result, outputs=[attrs.evolve(first, text=text)])

    def discard(self) -> None:
        self.file.close()
        self.path.unlink(missing_ok=True)


@structs.define(eq=False)
class Fetch:
    """One result on its way."""

    result: CallResult
    download: PayloadDownload
    text: InMemory | InFile


@structs.define(eq=False)
class PayloadFetches:
    """By the request id of the call. `large` is where long ones go."""

    large: LargeResults
    _open: dict[object, Fetch] = attrs.field(factory=dict[object, Fetch])
    _acknowledged: list[PayloadAck] = attrs.field(factory=list[PayloadAck])

    def __repr__(self) -> str:
        return f"<PayloadFetches {len(self._open)}>"

    def begin(self, result: CallResult) -> Outcome | None:
        """None if it is a reference, and what it refers to is fetched from now on; else what is to be told at once."""
        try:
            ref = reference_in(result)
            if ref is None:
                return result
            if result.request_id not in self._open:
                download = PayloadDownload(result.request_id, ref)
                text = self._text_for(result, ref.size)
                self._open[result.request_id] = Fetch(result, download, text)
        except (WireError, OSError) as fault:
            log.warning("large answer not fetched", extra={"fault": str(fault)})
            return _failure(result.request_id, str(fault))
        return None

    def _text_for(self, result: CallResult, size: int) -> InMemory | InFile:
        """Raises OSError."""
        if size <= MAX_ANSWER:
            return InMemory()
        return InFile(self.large, size, *self.large.open_new(str(result.request_id)))

    def due(self) -> list[PayloadGet | PayloadAck]:
        """What is to be sent now; from now on it counts as sent."""
        due: list[PayloadGet | PayloadAck] = list(self._acknowledged)
        self._acknowledged.clear()
        for fetch in self._open.values():
            due += fetch.download.due()
        return due

    def reconnect(self) -> None:
        for fetch in self._open.values():
            fetch.download.reconnect()

    def take(self, frame: bytes) -> Outcome | None:
        """A binary frame. Returns the outcome of the call to which it was the last, or that could not go on."""
        try:
            piece = decode_piece(frame)
        except WireError as fault:
            log.warning("binary frame not understood", extra={"fault": str(fault)})
            return None
        fetch = self._open.get(piece.about.request_id)
        if fetch is None:
            return None
        try:
            fetch.text.add(fetch.download.take(piece))
        except (WireError, OSError) as fault:
            log.warning("piece of a large answer not taken", extra={"fault": str(fault)})
            self.drop(piece.about.request_id)
            return _failure(piece.about.request_id, str(fault))
        return self._ended(fetch) if fetch.download.is_complete else None

    def _ended(self, fetch: Fetch) -> Outcome:
        request_id = fetch.result.request_id
        fault = fetch.download.fault()
        if fault is not None:
            self.drop(request_id)
            return CallFailed(request_id=request_id, error=fault)
        del self._open[request_id]
        try:
            outcome = fetch.text.outcome(fetch.result)
        except (UnicodeError, OSError) as wrong:
            log.warning("large answer not told", extra={"fault": str(wrong)})
            fetch.text.discard()
            return _failure(request_id, str(wrong))
        self._acknowledged.append(fetch.download.acknowledgement())
        return outcome

    def drop(self, request_id: object) -> bool:
        """Nobody waits for it any more. False if it was not on its way."""
        fetch = self._open.pop(request_id, None)
        if fetch is not None:
            fetch.text.discard()
        return fetch is not None


def _failure(request_id: RequestId, why: str) -> CallFailed:
    fault = local_fault(
        "SERVICE_UNAVAILABLE",
        f"its answer could not be fetched: {why}",
        "storage",
        retryable=False,
        reason=ANSWER_NOT_KEPT,
    )
    return CallFailed(request_id=request_id, error=fault)
