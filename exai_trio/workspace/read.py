"""The text of files, and of those in directories: what is binary or too large is named with the reason instead."""

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import ArgumentError, NotFoundError
from exai_trio.workspace import (
    decoding,
    directories,
    images,
    path_checks,
    safe_open,
    sendable,
    upload_source,
    write,
)
from exai_trio.workspace.path_checks import PathUse
from exai_trio.workspace.sendable import Access
from exai_trio.workspace.upload_source import Opened
from exai_trio.workspace.write import Place

T = TypeVar("T")

# One file: about 300,000 tokens, more than most models hold. Larger ones are logs and data, not sources.
MAX_FILE_BYTES = 1024 * 1024
# All files of one call: about what the largest context (1 M tokens) holds; 24 calls at once stay near 100 MiB.
MAX_TOTAL_BYTES = 4 * 1024 * 1024
# All files that a call keeps from when it came, and so are read once.
_KEPT_BYTES = 64 * 1024
# The same at each reading, so that the beginning of a prompt stays as it is.
_FOLDER = f"a directory with no files to read, or more than {directories.MOST_FILES:,}; name those that matter"


@structs.frozen(kw_only=True)
class Reading:
    """What one path gave: its `text`, or the `reason` why there is none. `path` is resolved where that was allowed.

    `remark` is what a reader of the text has to know. `looks_like` says which secret the file looks like, if that is the reason.
    """

    path: str
    text: str = ""
    reason: str = ""
    remark: str = ""
    looks_like: str = ""

    @property
    def is_folder(self) -> bool:
        return self.reason == _FOLDER


@structs.frozen
class Found:
    """Files that a call names, as they were when it came: where each lies that may be read, by the name given; and what stands in
    short ones, by where they lie."""

    paths: Mapping[str, str] = {}
    readings: Mapping[str, Reading] = {}

    def __or__(self, other: "Found") -> "Found":
        return Found({**self.paths, **other.paths}, {**self.readings, **other.readings})

    def named(self, names: Sequence[str]) -> tuple[Reading, ...] | None:
        """What stands in all of these, by the names given; None if one of them is not known here."""
        return self.lying([self.paths.get(name) for name in names])

    def lying(self, paths: Sequence[str | None]) -> tuple[Reading, ...] | None:
        """The same by where they lie."""
        known = [self.readings.get(path or "") for path in dict.fromkeys(paths)]
        return None if None in known else tuple(filter(None, known))


NOTHING_FOUND = Found()
ReadOne = Callable[[str, Access, int], Reading]  # path, what may be read, bytes of room left
Find = Callable[[str, Access], Iterator[tuple[str, ReadOne]]]


@structs.frozen
class FileReader:
    """Reads in threads of its own limiter, so that slow disks hold up nothing else.
    Who is cancelled leaves a read to its thread, which finishes alone; `opened` and writing wait for it."""

    # Four calls read at once; more would only queue at the disk.
    limiter: trio.CapacityLimiter = attrs.field(factory=partial(trio.CapacityLimiter, 4))
    # Sent whatever they look like, if they are inside the roots of the call.
    secret_files: tuple[Path, ...] = ()

    def access(self, roots: tuple[Path, ...]) -> Access:
        return Access(roots, self.secret_files)

    async def read(
        self, given: Sequence[str], roots: tuple[Path, ...], found: Found = NOTHING_FOUND
    ) -> tuple[Reading, ...]:
        """Read files that the caller names now, and those in directories: each once, in order. What was `found` when the call came
        is not read once more.

        Raises: ArgumentError, NotFoundError. Cancelling returns at once; the thread ends after the file it is at.
        """
        known = found.named(given)
        if known is not None:
            return known
        return await self._in_thread(partial(_read_all, given, self.access(roots), _named))

    async def read_again(
        self, given: Sequence[str], roots: tuple[Path, ...], found: Found = NOTHING_FOUND
    ) -> tuple[Reading, ...]:
        """Read files that were named earlier, each under the path given: what is gone, or not allowed any more, has a reason. Else as
        `read`."""
        known = found.lying(given)
        if known is not None:
            return known
        return await self._in_thread(partial(_read_all, given, self.access(roots), _named_before))

    async def read_images(self, given: Sequence[str], roots: tuple[Path, ...]) -> tuple[str, ...]:
        """Images as data URLs, in order. Raises: ArgumentError, NotFoundError."""
        read = partial(images.load_all, given, self.access(roots))
        return await self._in_thread(read) if given else ()

    async def read_images_again(
        self, given: Sequence[str], roots: tuple[Path, ...]
    ) -> dict[str, str]:
        """Data URLs of images named earlier, by the path given; those that cannot be read any more are missing."""
        read = partial(images.load_allowed, given, self.access(roots))
        return await self._in_thread(read) if given else {}

    @asynccontextmanager
    async def opened(
        self,
        given: str,
        roots: tuple[Path, ...],
        check_size: Callable[[int, str], object],
        copied_up_to: int = 0,
    ) -> AsyncGenerator[Opened]:
        """One file, open and hashed, if `check_size` has nothing against its size; leaving closes it. One of up to so many bytes is a copy.
        Raises: ArgumentError, NotFoundError."""
        opened = await trio.to_thread.run_sync(
            upload_source.open_hashed,
            given,
            self.access(roots),
            check_size,
            copied_up_to,
            thread_name="exai files",
            limiter=self.limiter,
        )
        with opened.file:
            yield opened

    async def check(self, given: Sequence[str], use: PathUse, roots: tuple[Path, ...]) -> Found:
        """The files among these paths. Raises what using any of them would: ArgumentError, NotFoundError. Of large files the beginning
        is looked at."""
        if not given:
            return NOTHING_FOUND
        return await self._in_thread(partial(_found, tuple(given), use, self.access(roots)))

    async def find_place(
        self, given: str, roots: tuple[Path, ...], *, again: bool = False
    ) -> Place:
        """Where a new file may be written; `again`: an earlier run may have written it. Raises: ArgumentError."""
        return await self._in_thread(partial(write.find_place, given, roots, again=again))

    async def write_new(
        self, place: Place, usual_name: str, content: bytes, *, again: bool = False
    ) -> Path:
        """Raises: ArgumentError. Cancelling waits until the file is whole or gone."""
        writing = partial(write.write_new, place, usual_name, content, again=again)
        return await trio.to_thread.run_sync(writing, limiter=self.limiter)

    async def _in_thread(self, read: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(
            read, thread_name="exai files", abandon_on_cancel=True, limiter=self.limiter
        )


def _found(given: Sequence[str], use: PathUse, access: Access) -> Found:
    paths: dict[str, str] = {}
    readings: dict[str, Reading] = {}
    room = _KEPT_BYTES
    for name, resolved, content in path_checks.checked(given, use, access):
        path = paths[name] = str(resolved)
        if use == "read" and len(content) <= room and path not in readings:
            readings[path] = _as_read(resolved, content, access, room)
            room -= len(content)
    return Found(paths, readings)


def _read_all(given: Sequence[str], access: Access, find: Find) -> tuple[Reading, ...]:
    readings: dict[str, Reading] = {}
    room = MAX_TOTAL_BYTES
    for name in given:
        for path, read in find(name, access):
            trio.from_thread.check_cancelled()
            reading = read(path, access, room)
            if reading.path not in readings:
                readings[reading.path] = reading
                room -= len(reading.text)
    return tuple(readings.values())


def _named(given: str, access: Access) -> Iterator[tuple[str, ReadOne]]:
    """The path itself, or what is in it. What a directory holds is not the caller's word: it has a reason rather than a refusal."""
    resolved = access.resolve(given)
    if not safe_open.is_directory(resolved):
        yield given, _read_named
        return
    sendable.check_folder(given, resolved)
    folder = directories.expand(resolved, access.roots)
    for path in folder.files:
        yield path, _read_if_allowed
    if folder.cut or not folder.files:
        yield given, _read


def _named_before(given: str, _: Access) -> Iterator[tuple[str, ReadOne]]:
    yield given, _read_if_allowed


def _read_named(given: str, access: Access, room: int) -> Reading:
    reading = _read(given, access, room)
    if reading.looks_like:
        raise sendable.refusal(given, reading.looks_like)
    return reading


def _read_if_allowed(given: str, access: Access, room: int) -> Reading:
    try:
        return attrs.evolve(_read(given, access, room), path=given)
    except NotFoundError:
        return Reading(path=given, reason="deleted since it was given")
    except ArgumentError:
        return Reading(path=given, reason="not readable from here any more")


def _read(given: str, access: Access, room: int) -> Reading:
    resolved = access.resolve(given)
    if safe_open.is_directory(resolved):
        return Reading(path=str(resolved), reason=_FOLDER)
    if looks := access.why_not(given, resolved):
        return _secret(resolved, looks)
    return _as_read(resolved, safe_open.content(resolved, MAX_FILE_BYTES + 1), access, room)


def _as_read(resolved: Path, content: bytes, access: Access, room: int) -> Reading:
    reading = _reading(str(resolved), content, room)
    # As it is sent, which need not be how it is stored.
    looks = access.why_not_content(resolved, reading.text.encode(errors="replace"))
    return _secret(resolved, looks) if looks else reading


def _secret(resolved: Path, looks: str) -> Reading:
    return Reading(path=str(resolved), reason=sendable.left_out(looks), looks_like=looks)


def _reading(path: str, content: bytes, room: int) -> Reading:
    if len(content) > MAX_FILE_BYTES:
        return Reading(path=path, reason=f"larger than {MAX_FILE_BYTES:,} bytes")
    if len(content) > room:
        return Reading(
            path=path, reason=f"over {MAX_TOTAL_BYTES:,} bytes together with the files before it"
        )
    found = decoding.decoded(content)
    if found is None:
        return Reading(path=path, reason=f"{decoding.what_else(content)}, {len(content):,} bytes")
    return Reading(path=path, text=found.text, remark=found.remark)
