"""Contents of files as a store keeps them: each once, under the SHA-256 of its bytes, whole or not at all.

Nothing is opened here.
"""

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from exai_trio import structs


@structs.frozen(kw_only=True)
class ObjectFacts:
    """`file_id` is what the store calls the object; `stored_at` is in unix seconds by the store's clock."""

    sha256: str
    file_id: str
    size: int
    stored_at: float


class Objects(Protocol):
    """Raises StorageError. Cancelling leaves an object whole, or not there."""

    async def put(self, sha256: str, size: int, pieces: AsyncIterable[bytes]) -> ObjectFacts:
        """Store it, unless it is there already; then the pieces are not read. Raises ArgumentError if they are not
        that content, OverCapacityError if there is no room."""
        ...

    def open(
        self, sha256: str, offset: int = 0
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Its bytes from there on, in pieces. Raises NotFoundError. Leaving the block closes it."""
        ...

    async def stat(self, sha256: str) -> ObjectFacts | None: ...

    async def delete(self, sha256: str) -> int:
        """Returns how many bytes that freed; one that is not there is no fault."""
        ...

    async def listed(self) -> tuple[ObjectFacts, ...]:
        """All that are whole, the oldest first."""
        ...


class Bucket(Protocol):
    """Where contents are that machines share. Raises HostedFault; cancelling leaves open whether what was asked has been done."""

    async def put(self, name: str, size: int, content: AsyncIterable[bytes]) -> None: ...

    def open(
        self, name: str, offset: int = 0
    ) -> AbstractAsyncContextManager[AsyncIterable[bytes] | None]: ...

    async def size(self, name: str) -> int | None: ...

    async def delete(self, name: str) -> bool: ...

    async def listed(self) -> tuple[ObjectFacts, ...]: ...
