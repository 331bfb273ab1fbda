"""`exai storage check`: what is wrong with what a home keeps, each fault by name. It changes nothing, and a daemon may run."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import trio

from exai_trio import structs
from exai_trio.bus.payload_files import path_of, read_all, stored_names
from exai_trio.commands.storage.asked import Asked, Told
from exai_trio.commands.storage.check_contents import faults_of_contents
from exai_trio.commands.storage.home_archive import DATABASE
from exai_trio.commands.storage.store_status import database_faults, hosted_faults
from exai_trio.errors import PayloadDamagedError, StorageError
from exai_trio.storage.contracts.stored_payloads import KEPT, StoredPayload
from exai_trio.storage.sqlite.database_copies import faults_of, looked_into
from exai_trio.storage.sqlite.payload_rows import payloads_in
from exai_trio.system.clock import unix_now

_SAMPLE: Final = 20  # results, the newest, of which without --full all is hashed
_SETTLED_S: Final = 600.0  # what is written now has no row, or no file, for a moment


@structs.frozen
class Home:
    """What is looked at. `full`: all of it is hashed."""

    folder: Path
    full: bool

    @property
    def database(self) -> Path:
        return self.folder / DATABASE


Check = Callable[[Home], Iterator[str]]


async def check(asked: Asked) -> Told:
    """What is not as it should be, here and in the store that machines share; exit code 1 if there is anything, also if that cannot be
    asked. Cancelling changes nothing."""
    found = await trio.to_thread.run_sync(found_in, Home(asked.config.home, asked.full))
    found += await _there(asked)
    lines = tuple(found) or ("nothing is wrong with what is kept",)
    return Told(data={"ok": not found, "faults": found}, lines=lines, code=1 if found else 0)


async def _there(asked: Asked) -> tuple[str, ...]:
    config = asked.config
    try:
        if config.is_shared:
            return await database_faults(config.database_url, plain=True)
        return await hosted_faults(asked) if config.is_hosted else ()
    except StorageError as unusable:
        return (unusable.message,)


def found_in(home: Home) -> list[str]:
    """The faults; none of a home that keeps nothing yet."""
    if not home.database.exists():
        return []
    try:
        return [fault for check in CHECKS for fault in check(home)]
    except StorageError as unusable:
        return [f"database: {unusable.message}"]


def _database(home: Home) -> Iterator[str]:
    yield from faults_of(home.database, full=home.full)


def _large_results(home: Home) -> Iterator[str]:
    """Each that can be asked for has its file, and that is what was put there."""
    folder = home.folder / "bus"
    with looked_into(home.database) as connection:
        rows = payloads_in(connection)
    kept = [row for row in rows if row.status in KEPT]
    for number, row in enumerate(reversed(kept)):
        yield from _of_result(folder, row, hashed=home.full or number < _SAMPLE)
    known = {row.transaction_id for row in rows if row.status != "expired"}
    for name in stored_names(folder):
        if name not in known and _is_settled(path_of(folder, name)):
            yield f"bus: {name} is a file that no row knows; the next start of the daemon removes it"
    for row in rows:
        if row.status == "pending" and row.created_at < unix_now() - _SETTLED_S:
            yield f"bus: {row.transaction_id} was never finished; the next start of the daemon removes it"


def _is_settled(path: Path) -> bool:
    unfinished = path.with_name(f"{path.name}.new")
    times = [one.stat().st_mtime for one in (path, unfinished) if one.exists()]
    return bool(times) and max(times) < unix_now() - _SETTLED_S


def _of_result(folder: Path, row: StoredPayload, *, hashed: bool) -> Iterator[str]:
    path, name = path_of(folder, row.transaction_id), f"bus: {row.transaction_id}"
    try:
        if path.stat().st_size != row.stored_bytes:
            yield f"{name} has {path.stat().st_size} bytes, not {row.stored_bytes}"
        elif hashed and not _is_whole(folder, row):
            yield f"{name} is not what was stored (SHA-256)"
    except (OSError, PayloadDamagedError) as fault:
        yield f"{name}: {fault}"


def _is_whole(folder: Path, row: StoredPayload) -> bool:
    digest = hashlib.sha256()
    for piece in read_all(folder, row):
        digest.update(piece)
    return row.sha256 in {"", digest.hexdigest()}


def _contents(home: Home) -> Iterator[str]:
    yield from faults_of_contents(home.database, home.folder / "files" / "objects", full=home.full)


CHECKS: Final[tuple[Check, ...]] = (_database, _large_results, _contents)
