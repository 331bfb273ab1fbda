"""The text of files, and of those in directories: what is binary or too large is named with the reason instead."""

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import ArgumentError, NotFoundError
from exai_trio.files import folders, handing, images, opening, path_checks, writing
from exai_trio.files.handing import Opened
from exai_trio.files.path_checks import PathUse
from exai_trio.files.writing import Place

T = TypeVar("T")

# One file: about 300,000 tokens, more than most models hold. Larger ones are logs and data, not sources.
MAX_FILE_BYTES = 1024 * 1024
# All files of one call: about what the largest context (1 M tokens) holds; 24 calls at once stay near 100 MiB.
MAX_TOTAL_BYTES = 4 * 1024 * 1024
# Bytes looked at for a NUL, which no text has; and the share of bytes that may be no UTF-8 in what still is text.
_SNIFFED_BYTES = 8192
_MAX_BROKEN_SHARE = 0.05
# The same at each reading, so that the beginning of a prompt stays as it is.
_FOLDER = f"a directory with no files to read, or more than {folders.MOST_FILES:,}; name those that matter"


@structs.frozen(kw_only=True)
class Reading:
    """What one path gave: its `text`, or the `reason` why there is none. `path` is resolved where that was allowed."""

    path: str
    text: str = ""
    reason: str = ""

    @property
    def is_folder(self) -> bool:
        return self.reason == _FOLDER


ReadOne = Callable[[str, tuple[Path, ...], int], Reading]  # path, roots, bytes of room left
Find = Callable[[str, tuple[Path, ...]], Iterator[tuple[str, ReadOne]]]


@structs.frozen
class FileReader:
    """Reads in threads of its own limiter, so that slow disks hold up nothing else."""

    # Four calls read at once; more would only queue at the disk.
    limiter: trio.CapacityLimiter = attrs.field(factory=partial(trio.CapacityLimiter, 4))

    async def read(self, given: Sequence[str], roots: tuple[Path, ...]) -> tuple[Reading, ...]:
        """Read files that the caller names now, and those in directories: each once, in order.

        Raises: ArgumentError, NotFoundError. Cancelling returns at once; the thread ends after the file it is at.
        """
        return await self._in_thread(partial(_read_all, given, roots, _named)) if given else ()

    async def read_again(
        self, given: Sequence[str], roots: tuple[Path, ...]
    ) -> tuple[Reading, ...]:
        """Read files that were named earlier, each under the path given: what is gone, or not allowed any more, has a reason."""
        read = partial(_read_all, given, roots, _named_before)
        return await self._in_thread(read) if given else ()

    async def read_images(self, given: Sequence[str], roots: tuple[Path, ...]) -> tuple[str, ...]:
        """Images as data URLs, in order. Raises: ArgumentError, NotFoundError."""
        return await self._in_thread(partial(images.load_all, given, roots)) if given else ()

    async def read_images_again(
        self, given: Sequence[str], roots: tuple[Path, ...]
    ) -> dict[str, str]:
        """Data URLs of images named earlier, by the path given; those that cannot be read any more are missing."""
        return await self._in_thread(partial(images.load_allowed, given, roots)) if given else {}

    @asynccontextmanager
    async def opened(
        self, given: str, roots: tuple[Path, ...], most: int
    ) -> AsyncGenerator[Opened]:
        """One file of at most `most` bytes, open and hashed; leaving closes it. Raises: ArgumentError, NotFoundError."""
        opened = await trio.to_thread.run_sync(
            handing.open_hashed,
            given,
            roots,
            most,
            thread_name="exai files",
            limiter=self.limiter,
        )
        with opened.file:
            yield opened

    async def check(self, given: Sequence[str], use: PathUse, roots: tuple[Path, ...]) -> None:
        """Raises what using any of these paths would: ArgumentError, NotFoundError. Nothing is read."""
        await self._in_thread(partial(path_checks.check, tuple(given), use, roots))

    async def find_place(self, given: str, roots: tuple[Path, ...]) -> Place:
        """Where a new file may be written. Raises: ArgumentError."""
        return await self._in_thread(partial(writing.find_place, given, roots))

    async def write_new(
        self, place: Place, usual_name: str, content: bytes, roots: tuple[Path, ...]
    ) -> Path:
        """Raises: ArgumentError. Cancelling waits until the file is whole or gone."""
        return await trio.to_thread.run_sync(
            writing.write_new, place, usual_name, content, roots, limiter=self.limiter
        )

    async def _in_thread(self, read: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(
            read, thread_name="exai files", abandon_on_cancel=True, limiter=self.limiter
        )


def _read_all(given: Sequence[str], roots: tuple[Path, ...], find: Find) -> tuple[Reading, ...]:
    readings: dict[str, Reading] = {}
    room = MAX_TOTAL_BYTES
    for name in given:
        for path, read in find(name, roots):
            trio.from_thread.check_cancelled()
            reading = read(path, roots, room)
            if reading.path not in readings:
                readings[reading.path] = reading
                room -= len(reading.text)
    return tuple(readings.values())


def _named(given: str, roots: tuple[Path, ...]) -> Iterator[tuple[str, ReadOne]]:
    """The path itself, or what is in it. What a directory holds is not the caller's word: it has a reason rather than a refusal."""
    resolved = opening.resolve(given, roots)
    if not opening.is_directory(resolved):
        yield given, _read
        return
    folder = folders.expand(resolved, roots)
    for path in folder.files:
        yield path, _read_if_allowed
    if folder.cut or not folder.files:
        yield given, _read


def _named_before(given: str, _roots: tuple[Path, ...]) -> Iterator[tuple[str, ReadOne]]:
    yield given, _read_if_allowed


def _read(given: str, roots: tuple[Path, ...], room: int) -> Reading:
    resolved = opening.resolve(given, roots)
    if opening.is_directory(resolved):
        return Reading(path=str(resolved), reason=_FOLDER)
    content = opening.content(resolved, MAX_FILE_BYTES + 1)
    return _reading(str(resolved), content, room)


def _read_if_allowed(given: str, roots: tuple[Path, ...], room: int) -> Reading:
    try:
        return attrs.evolve(_read(given, roots, room), path=given)
    except NotFoundError:
        return Reading(path=given, reason="deleted since it was given")
    except ArgumentError:
        return Reading(path=given, reason="not readable from here any more")


def _reading(path: str, content: bytes, room: int) -> Reading:
    if len(content) > MAX_FILE_BYTES:
        return Reading(path=path, reason=f"larger than {MAX_FILE_BYTES:,} bytes")
    if len(content) > room:
        return Reading(
            path=path, reason=f"over {MAX_TOTAL_BYTES:,} bytes together with the files before it"
        )
    text = as_text(content)
    if text is None:
        return Reading(path=path, reason=f"binary, {len(content):,} bytes")
    return Reading(path=path, text=text)


def as_text(content: bytes) -> str | None:
    """The content as text, or None if it is none. A few bytes that are no UTF-8 become U+FFFD."""
    if b"\0" in content[:_SNIFFED_BYTES]:
        return None
    text = content.decode("utf-8-sig", errors="replace")
    broken = text.count("�")
    return None if broken > _MAX_BROKEN_SHARE * len(content) else text
