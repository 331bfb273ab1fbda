"""A file on disk as the body of a multipart/form-data request, read piece by piece in a worker thread.

No HTTP here.
"""

import mimetypes
import os
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from io import BufferedReader
from pathlib import Path
from typing import Final, Literal

import attrs
import trio

from exai_trio import structs

PIECE: Final = 256 * 1024  # bytes read at a time


@structs.define(kw_only=True)
class Form:
    """An asynchronous iterator over the body. No generator, so that one left unfinished needs no closing."""

    boundary: str
    size: int
    content_size: int
    _head: bytes = attrs.field(alias="head")
    _tail: bytes = attrs.field(alias="tail")
    _read: Callable[[int], Awaitable[bytes]] = attrs.field(alias="read")
    _at: Literal["head", "file", "over"] = attrs.field(default="head", init=False)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._at == "over":
            raise StopAsyncIteration
        if self._at == "head":
            self._at = "file"
            return self._head
        piece = await self._read(PIECE)
        if piece:
            return piece
        self._at = "over"
        return self._tail

    @property
    def headers(self) -> dict[str, str]:
        """With the length, so that the body is not sent in chunks, which not every service takes."""
        return {
            "Content-Type": f"multipart/form-data; boundary={self.boundary}",
            "Content-Length": str(self.size),
        }


@asynccontextmanager
async def open_form(
    path: Path, purpose: str, opened: BufferedReader | None = None
) -> AsyncGenerator[Form]:
    """The fields `purpose` and `file`. Raises: OSError. Leaving closes what was opened here. Cancelling does too."""
    boundary = secrets.token_hex(16)
    head = _head(boundary, path.name, purpose)
    tail = f"\r\n--{boundary}--\r\n".encode()
    async with AsyncExitStack() as stack:
        if opened is None:
            file = await stack.enter_async_context(await trio.open_file(path, "rb"))
        else:
            file = trio.wrap_file(opened)
            await file.seek(0)
        size = os.fstat(file.fileno()).st_size
        yield Form(
            boundary=boundary,
            size=len(head) + size + len(tail),
            content_size=size,
            head=head,
            tail=tail,
            read=file.read,
        )


def _head(boundary: str, filename: str, purpose: str) -> bytes:
    kind = mimetypes.guess_type(filename)[0] or "application/octet-stream"
    quoted = filename.translate({ord('"'): "%22", ord("\r"): "%0D", ord("\n"): "%0A"})
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n{purpose}\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{quoted}"\r\n'
        f"Content-Type: {kind}\r\n\r\n"
    )
    return head.encode("utf-8", "replace")
