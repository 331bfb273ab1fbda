"""`exai storage backup`: one file of all that a home keeps, of one moment, also while a daemon writes.

Calls that run at that moment are not in it: to run them again is for nobody to decide who restores it later.
"""

import os
from contextlib import ExitStack
from pathlib import Path

from exai_trio import __version__
from exai_trio.commands.console import Console
from exai_trio.commands.invocation import Started
from exai_trio.commands.storage.home_archive import (
    DATABASE,
    FORMAT,
    ArchiveWriter,
    Contents,
    files_below,
    number_of_files,
    opened,
    unpack,
)
from exai_trio.commands.storage.last_backup import note_backup
from exai_trio.config import Config
from exai_trio.errors import ArgumentError, NotFoundError, StorageError
from exai_trio.observability.times import rfc3339
from exai_trio.storage.contracts.stored_payloads import KEPT
from exai_trio.storage.sqlite.database_copies import (
    copy_database,
    faults_of,
    looked_into,
    make_ready,
)
from exai_trio.storage.sqlite.payload_rows import payloads_in
from exai_trio.system.clock import unix_now


def main(started: Started) -> int:
    target = Path(started.arguments.file).absolute()
    contents = backup(started.loaded.config, target)
    size = target.stat().st_size
    console = Console.of_process(started.environ)
    console.say(f"{target}: {number_of_files(len(contents.files))}, {size:,} bytes, verified")
    return 0


def backup(config: Config, target: Path) -> Contents:
    """Write it, and read it again. Raises ArgumentError if the file is there, NotFoundError for a home that keeps nothing yet,
    StorageError; then there is no such file, or the text says that it is good."""
    if target.exists():
        raise ArgumentError(f"{target} is there already; name a file that is not")
    source = config.home / DATABASE
    if not source.exists():
        raise NotFoundError(f"nothing is kept in {config.home}: there is no {DATABASE}")
    unfinished = target.with_name(f"{target.name}.{os.getpid()}.new")
    copy = unfinished.with_suffix(".db")
    with ExitStack() as stack:
        for path in (unfinished, copy):
            stack.callback(path.unlink, missing_ok=True)
        try:
            contents = _written(config.home, source, copy, unfinished)
            if unpack(unfinished, None) != contents:
                raise StorageError(f"{target} was not written as it should be; check that disk")
            unfinished.rename(target)
        except OSError as fault:
            raise StorageError(f"{target} cannot be written: {fault}") from fault
    try:
        note_backup(config.state, target)
    except OSError as fault:
        raise StorageError(f"{target} is good, but its age is not noted: {fault}") from fault
    return contents


def _written(home: Path, source: Path, copy: Path, target: Path) -> Contents:
    """The database is copied first: of what is kept then a file is missing only if its time is over meanwhile."""
    schema = copy_database(source, copy)
    with ExitStack() as stack:
        archive = opened(target, stack)
        _add_files(archive, home)
        make_ready(copy, _lost(copy, archive))
        faults = faults_of(copy, full=True)
        if faults:
            raise StorageError(f"{source} is damaged, and not backed up: {faults[0]}")
        archive.add(DATABASE, copy)
        contents = Contents(
            format=FORMAT,
            version=__version__,
            schema=schema,
            created_at=rfc3339(unix_now()),
            files=archive.files,
        )
        archive.finish(contents)
    return contents


def _add_files(archive: ArchiveWriter, home: Path) -> list[str]:
    """Returns those whose time was over since the folder was read."""
    gone: list[str] = []
    for name, path in files_below(home):
        try:
            archive.add(name, path)
        except FileNotFoundError:
            gone.append(name)
    return gone


def _lost(copy: Path, archive: ArchiveWriter) -> tuple[str, ...]:
    with looked_into(copy) as connection:
        kept = [row.transaction_id for row in payloads_in(connection) if row.status in KEPT]
    put_in = {Path(name).name for name in archive.files}
    return tuple(one for one in kept if one not in put_in)
