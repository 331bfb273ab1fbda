"""One archive file of what a home keeps: its database, its files, its large results, and a list of them with their hashes.

A gzipped tar, readable by its owner alone. Its list comes last, so that it is read and written in one pass.
"""

import hashlib
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, cast

import attrs
import msgspec

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.filestore.local_objects import UNFINISHED
from exai_trio.system.private_files import open_at_once, private_directory

DATABASE: Final = "state/exai.db"
FOLDERS: Final = ("files", "bus")
FORMAT: Final = 1
_LIST: Final = "contents.json"
_BLOCK: Final = 2**20
_UNFINISHED: Final = (".new", UNFINISHED)


@structs.frozen
class Entry:
    """One file as it was put in."""

    size: int
    sha256: str


@structs.frozen(kw_only=True)
class Contents:
    """What stands in the archive beside the files."""

    format: int
    version: str
    schema: int
    created_at: str
    files: dict[str, Entry]


@structs.define(eq=False)
class Hashed:
    """A file that is read once, and hashed on the way. No more than `left` bytes, whatever it grows to."""

    file: BinaryIO
    left: int
    digest: Any = attrs.field(factory=hashlib.sha256)

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(self.left if size < 0 else min(size, self.left))
        self.left -= len(data)
        self.digest.update(data)
        return data


@structs.define(eq=False)
class ArchiveWriter:
    """An archive that is being made."""

    tar: tarfile.TarFile
    files: dict[str, Entry] = attrs.field(factory=dict[str, Entry])

    def add(self, name: str, path: Path) -> None:
        """Raises OSError; FileNotFoundError before anything of it was written."""
        with open_at_once(path) as file:
            info = _info(name, os.fstat(file.fileno()).st_size)
            source = Hashed(file, info.size)
            self.tar.addfile(info, cast("BinaryIO", source))  # it asks for `read` alone
            self.files[name] = Entry(info.size, source.digest.hexdigest())

    def finish(self, contents: Contents) -> None:
        data = msgspec.json.encode(contents)
        self.tar.addfile(_info(_LIST, len(data)), BytesIO(data))


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info


def number_of_files(files: int) -> str:
    """For a person."""
    return "1 file" if files == 1 else f"{files} files"


def files_below(home: Path) -> Iterator[tuple[str, Path]]:
    """The files of a home that belong into an archive, but for its database, by the names that they have there. Links are left out,
    and what is not finished."""
    for folder in FOLDERS:
        for path in sorted((home / folder).rglob("*")):
            if path.is_file() and not path.is_symlink() and not path.name.endswith(_UNFINISHED):
                yield path.relative_to(home).as_posix(), path


def opened(target: Path, stack: ExitStack) -> ArchiveWriter:
    """A new archive; it is finished when `stack` is left. Raises OSError."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    file = stack.enter_context(os.fdopen(descriptor, "wb"))
    return ArchiveWriter(stack.enter_context(tarfile.open(fileobj=file, mode="w:gz", compresslevel=1)))  # fmt: skip


def unpack(archive: Path, folder: Path | None) -> Contents:
    """Hold every file to its hash and, unless `folder` is None, write it below that. Raises StorageError if the archive is none of ours,
    or is not whole; OSError."""
    found: dict[str, Entry] = {}
    contents: Contents | None = None
    try:
        with tarfile.open(archive, mode="r|*") as tar:
            for info in tar:
                source = tar.extractfile(info) if info.isreg() else None
                if source is None or contents is not None:
                    raise _no_archive(archive, f"{info.name!r} does not belong there")
                if info.name == _LIST:
                    contents = msgspec.json.decode(source.read(), type=Contents)
                else:
                    found[info.name] = _taken(info.name, source, folder)
    except (tarfile.TarError, EOFError, msgspec.MsgspecError, UnicodeError) as fault:
        raise _no_archive(archive, str(fault)) from fault
    if contents is None or contents.format != FORMAT or contents.files != found:
        raise _no_archive(archive, "it is not whole, or was changed")
    return contents


def _taken(name: str, source: IO[bytes], folder: Path | None) -> Entry:
    """Raises StorageError for a name that leads elsewhere; OSError."""
    parts = Path(name).parts
    below = len(parts) > 1 and parts[0] in FOLDERS and ".." not in parts and "\0" not in name
    if name != DATABASE and not below:
        raise StorageError(f"{name!r} is no name of a file of a home")
    digest, size = hashlib.sha256(), 0
    with ExitStack() as stack:
        write = _writer(folder / name, stack) if folder else len
        while data := source.read(_BLOCK):
            write(data)
            digest.update(data)
            size += len(data)
    return Entry(size, digest.hexdigest())


def _writer(path: Path, stack: ExitStack) -> Callable[[bytes], object]:
    private_directory(path.parent)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    return stack.enter_context(os.fdopen(descriptor, "wb")).write


def _no_archive(archive: Path, why: str) -> StorageError:
    return StorageError(f"{archive} is no whole archive of `exai storage backup`: {why}")
