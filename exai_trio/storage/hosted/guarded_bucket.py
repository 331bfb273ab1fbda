"""A bucket of the other side, under its breaker: contents go there and come back in pieces. No HTTP here."""

from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Final, TypeVar

from exai_trio import structs
from exai_trio.storage.contracts.file_objects import Bucket, ObjectFacts
from exai_trio.storage.hosted.guarded_remote import GuardedRemote

T = TypeVar("T")

FILES: Final = "exai-files"
RESULTS: Final = "exai-bus"
OBJECT_S: Final = 600.0  # longest that one is on its way; a minute of silence ends it before


@structs.frozen(eq=False)
class GuardedBucket:
    """Raises HostedFault, at once while the other side is away."""

    _remote: GuardedRemote
    name: str

    async def put(self, name: str, size: int, content: AsyncIterable[bytes]) -> None:
        """One that is there already is not sent. Cancelling leaves open whether it is there."""

        async def work(bucket: Bucket) -> None:
            if await bucket.size(name) != size:
                await bucket.put(name, size, content)

        await self.use(work)

    async def delete(self, name: str) -> int:
        """How many bytes that freed. Cancelling leaves it deleted or not."""

        async def work(bucket: Bucket) -> int:
            size = await bucket.size(name)
            return (size or 0) if await bucket.delete(name) else 0

        return await self.use(work)

    async def listed(self) -> tuple[ObjectFacts, ...]:
        return await self.use(lambda bucket: bucket.listed())

    async def remove_unfinished(self, now: float) -> int:
        """There is nothing unfinished in a bucket; what is asked of it is what is asked of a disk."""
        return 0

    async def use(self, work: Callable[[Bucket], Awaitable[T]]) -> T:
        """What `work` makes of the bucket. Cancelling cuts it where it is."""
        return await self._remote.ask(
            lambda remote: work(remote.bucket(self.name)), within_s=OBJECT_S
        )
