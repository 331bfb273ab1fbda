"""Stored contents as files under EXAI_HOME: `ab/SHA256`, whole or not there, for their owner alone."""

import hashlib
import logging
import os
import secrets
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Generator,
    Iterator,
)
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar, TypeVarTuple

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import ArgumentError, NotFoundError, OverCapacityError, StorageError
from exai_trio.storage.contracts.file_objects import ObjectFacts
from exai_trio.system.private_files import AT_ONCE, private_directory

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

log = logging.getLogger("exai.storage")

PIECE: Final = 1024 * 1024
UNFINISHED: Final = ".part"
_ABANDONED_S: Final = 86_400.0  # longest that a content is on its way to the store


@structs.frozen(kw_only=True)
class LocalObjects:
    """Objects in a directory of at most `most` bytes. All that touches the disk is done in threads, for which cancelling waits; an object is
    whole or not there."""

    root: Path
    most: int
    limiter: trio.CapacityLimiter = attrs.field(factory=partial(trio.CapacityLimiter, 4))

    async def put(self, sha256: str, size: int, pieces: AsyncIterable[bytes]) -> ObjectFacts:
        """As the contract has it; it is synced before it has its name. One that is there and damaged is stored anew."""
        kept = await self.stat(sha256)
        if kept is not None:
            if await self.is_whole(sha256):
                return kept
            log.error("a stored content is damaged, and stored anew", extra={"object": sha256})
            await self.delete(sha256)
        await self._in_thread(self._check_room, size)
        with _faults("stored"), ExitStack() as stack:
            fresh = await self._in_thread(self._begin, sha256)
            stack.callback(fresh.unlink, missing_ok=True)
            file = stack.enter_context(await self._in_thread(_create, fresh))
            digest = hashlib.sha256()
            async for piece in pieces:
                await self._in_thread(_add, file, digest, piece)
            if digest.hexdigest() != sha256 or file.tell() != size:
                raise ArgumentError(
                    "The file has changed while it was read, so nothing was uploaded. Call again when it is at rest."
                )
            await self._in_thread(_name, file, fresh, self.path(sha256))
            stack.pop_all()
        facts = await self.stat(sha256)
        if facts is None:
            raise StorageError(f"The object {sha256} was deleted while it was stored.")
        return facts

    @asynccontextmanager
    async def open(self, sha256: str, offset: int = 0) -> AsyncGenerator[AsyncIterator[bytes]]:
        file = await self.open_file(sha256)
        with file:
            file.seek(offset)
            yield Pieces(file, self.limiter)

    async def open_file(self, sha256: str) -> BufferedReader:
        """The object as an open file, for the caller to close. Raises NotFoundError, StorageError."""
        try:
            return await self._in_thread(_opened, self.path(sha256))
        except FileNotFoundError:
            raise NotFoundError(f"No object {sha256} is stored.") from None
        except OSError as fault:
            raise StorageError(f"The object {sha256} cannot be read: {fault}.") from fault

    async def stat(self, sha256: str) -> ObjectFacts | None:
        with _faults("looked at"):
            return await self._in_thread(_facts, self.path(sha256))

    async def is_whole(self, sha256: str) -> bool:
        """Whether all of it is what was stored. Raises NotFoundError, StorageError."""
        with await self.open_file(sha256) as file, _faults("read"):
            return await self._in_thread(_hash_of, file) == sha256

    async def delete(self, sha256: str) -> int:
        return await self._in_thread(self.unlink, sha256)

    async def listed(self) -> tuple[ObjectFacts, ...]:
        with _faults("listed"):
            return await self._in_thread(self._listed)

    def unlink(self, sha256: str) -> int:
        """`delete`, in a thread of the caller's."""
        with _faults("deleted"):
            found = _facts(self.path(sha256))
            self.path(sha256).unlink(missing_ok=True)
        return found.size if found else 0

    def path(self, sha256: str) -> Path:
        return self.root / sha256[:2] / sha256

    async def remove_unfinished(self, now: float) -> int:
        """What killed daemons have begun to store, a day after. Returns how many bytes that freed."""
        with _faults("deleted"):
            return await self._in_thread(self._remove_unfinished, now)

    def _remove_unfinished(self, now: float) -> int:
        freed = 0
        for path in self._files():
            found = _facts(path) if path.suffix == UNFINISHED else None
            if found is not None and found.stored_at < now - _ABANDONED_S:
                path.unlink(missing_ok=True)
                freed += found.size
        return freed

    def _listed(self) -> tuple[ObjectFacts, ...]:
        found = (_facts(path) for path in self._files() if path.suffix != UNFINISHED)
        return tuple(sorted(filter(None, found), key=lambda each: each.stored_at))

    def _files(self) -> Iterator[Path]:
        return self.root.glob("[0-9a-f][0-9a-f]/*")

    def _begin(self, sha256: str) -> Path:
        folder = private_directory(self.path(sha256).parent)
        return folder / f"{sha256}.{secrets.token_hex(4)}{UNFINISHED}"

    def _check_room(self, size: int) -> None:
        used = sum(each.size for each in self._listed())
        if used + size > self.most:
            raise OverCapacityError(
                f"The store of files holds {used:,} of {self.most:,} bytes (EXAI_FILES_MAX_GB)."
            )

    async def _in_thread(self, work: Callable[[*Ts], T], *given: *Ts) -> T:
        return await trio.to_thread.run_sync(work, *given, limiter=self.limiter)


@structs.define
class Pieces:
    """An asynchronous iterator over what is left of an open file. No generator, so that one left unfinished needs no closing."""

    _file: BinaryIO
    _limiter: trio.CapacityLimiter

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece = await trio.to_thread.run_sync(self._file.read, PIECE, limiter=self._limiter)
        if not piece:
            raise StopAsyncIteration
        return piece


def _opened(path: Path) -> BufferedReader:
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | AT_ONCE), "rb")


def _hash_of(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while piece := file.read(PIECE):
        digest.update(piece)
    return digest.hexdigest()


def _create(path: Path) -> BinaryIO:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    return os.fdopen(descriptor, "wb", buffering=0)


def _add(file: BinaryIO, digest: Any, piece: bytes) -> None:
    digest.update(piece)
    if file.write(piece) != len(piece):
        raise OSError("the disk took only a part")


def _name(file: BinaryIO, fresh: Path, path: Path) -> None:
    os.fsync(file.fileno())
    file.close()
    fresh.replace(path)


def _facts(path: Path) -> ObjectFacts | None:
    """None if it is gone by now: others store and delete meanwhile."""
    if not path.is_file():
        return None
    found = path.stat()
    return ObjectFacts(
        sha256=path.name, file_id=path.name, size=found.st_size, stored_at=found.st_mtime
    )


@contextmanager
def _faults(what: str) -> Generator[None]:
    try:
        yield
    except OSError as fault:
        raise StorageError(f"The file could not be {what}: {fault}.") from fault
