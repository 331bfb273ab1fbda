"""Stored contents of two sides: on this machine first, then in a bucket that all machines read. What is only there is fetched when it is
asked for."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from io import BufferedReader
from typing import Final, Protocol

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import ArgumentError, StorageError
from exai_trio.filestore.local_objects import LocalObjects
from exai_trio.storage.contracts.file_objects import Bucket, ObjectFacts
from exai_trio.storage.hosted.function_calls import Functions, ask
from exai_trio.storage.hosted.guarded_bucket import GuardedBucket
from exai_trio.storage.hosted.hosted_faults import HostedAway, HostedFault
from exai_trio.storage.hosted.object_sender import Unsent

_DISPOSAL_S: Final = 60.0  # that whoever deletes an object may take


class UnsentFiles(Protocol):
    """Raises StorageError; cancelling leaves a change done or not done."""

    async def add(self, bucket: str, name: str, size: int, fault: str) -> None: ...

    async def all(self) -> tuple[Unsent, ...]: ...


@structs.define(eq=False, kw_only=True)
class SharedObjects:
    """Objects, of which `missing` says by hash why the bucket does not have one yet."""

    local: LocalObjects
    bucket: GuardedBucket
    functions: Functions
    unsent: UnsentFiles
    missing: dict[str, str] = attrs.field(factory=dict[str, str])

    @property
    def limiter(self) -> trio.CapacityLimiter:
        return self.local.limiter

    async def put(self, sha256: str, size: int, pieces: AsyncIterable[bytes]) -> ObjectFacts:
        """As the contract has it; the `file_id` is "" if the bucket does not take it now, and gets it later."""
        facts = await self.local.put(sha256, size, pieces)
        try:
            await self._share(facts)
        except HostedFault as fault:
            self.missing[sha256] = fault.message
            await self.unsent.add(self.bucket.name, sha256, size, fault.message)
            return attrs.evolve(facts, file_id="")
        self.missing.pop(sha256, None)
        return facts

    async def _share(self, facts: ObjectFacts) -> None:
        given = {"sha256": facts.sha256, "size": facts.size, "lease_s": _DISPOSAL_S}
        if not await ask(self.functions, "exai_begin_object", bool, **given):
            raise HostedAway("The same content is being deleted at Supabase just now.")
        async with self.local.open(facts.sha256) as pieces:
            await self.bucket.put(facts.sha256, facts.size, pieces)

    @asynccontextmanager
    async def open(self, sha256: str, offset: int = 0) -> AsyncGenerator[AsyncIterator[bytes]]:
        """Its bytes from there on. Raises NotFoundError; HostedFault if it is not here and cannot be fetched. Cancelling closes it."""
        await self._fetch(sha256)
        async with self.local.open(sha256, offset) as pieces:
            yield pieces

    async def open_file(self, sha256: str) -> BufferedReader:
        """The object as an open file, for the caller to close. Raises as `open`; cancelling leaves it whole or not there."""
        await self._fetch(sha256)
        return await self.local.open_file(sha256)

    async def stat(self, sha256: str) -> ObjectFacts | None:
        """Raises HostedFault if it is not here and cannot be fetched."""
        await self._fetch(sha256)
        return await self.local.stat(sha256)

    async def is_whole(self, sha256: str) -> bool:
        """Whether the one on this machine is what was stored. Raises NotFoundError, StorageError. Cancelling changes nothing."""
        return await self.local.is_whole(sha256)

    async def delete(self, sha256: str) -> int:
        """The one on this machine."""
        return await self.local.delete(sha256)

    async def listed(self) -> tuple[ObjectFacts, ...]:
        """Those on this machine."""
        return await self.local.listed()

    @asynccontextmanager
    async def to_send(self, sha256: str) -> AsyncGenerator[AsyncIterator[bytes] | None]:
        """Its bytes, if it is here; None if not. Raises HostedFault. Cancelling closes it."""
        if await self.local.stat(sha256) is None:
            yield None
            return
        given = {"sha256": sha256, "size": 0, "lease_s": _DISPOSAL_S}
        if not await ask(self.functions, "exai_begin_object", bool, **given):
            raise HostedAway("The same content is being deleted at Supabase just now.")
        async with self.local.open(sha256) as pieces:
            yield pieces

    async def note_sent(self, unsent: Unsent) -> bool:
        """The bucket has it, which the hosted database is told. Raises HostedFault; cancelled, it is told or not."""
        path = f"{self.bucket.name}/{unsent.name}"
        await ask(self.functions, "exai_object_stored", None, sha256=unsent.name, path=path)
        self.missing.pop(unsent.name, None)
        return True

    async def recall(self) -> None:
        """Which ones the bucket is still to get since earlier. Raises StorageError; cancelling changes nothing."""
        for each in await self.unsent.all():
            if each.bucket == self.bucket.name:
                self.missing.setdefault(each.name, each.fault)

    async def _fetch(self, sha256: str) -> None:
        if await self.local.stat(sha256) is None:
            await self.bucket.use(lambda bucket: self._pull(bucket, sha256))

    async def _pull(self, bucket: Bucket, sha256: str) -> None:
        """Nothing, if it is not there either."""
        size = await bucket.size(sha256)
        async with bucket.open(sha256) as pieces:
            if size is None or pieces is None:
                return
            try:
                await self.local.put(sha256, size, pieces)
            except ArgumentError as damaged:
                raise StorageError(
                    f"The object {sha256} at Supabase is damaged, and not used."
                ) from damaged
