"""`exai storage restore`: what a backup holds, in the place of what a home keeps, which is put aside.

Nothing is changed before all of the backup has been read and found right.
"""

import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from exai_trio.commands.console import Console
from exai_trio.commands.invocation import Started
from exai_trio.commands.storage.home_archive import (
    DATABASE,
    FOLDERS,
    Contents,
    number_of_files,
    unpack,
)
from exai_trio.config import Config
from exai_trio.daemon.process.home_lock import own_home
from exai_trio.errors import NotFoundError, StorageError
from exai_trio.storage.sqlite.database_copies import faults_of
from exai_trio.system.private_files import private_directory

_STAGING: Final = "restore.new"
_ASIDE: Final = "before-restore"


def main(started: Started) -> int:
    config, archive = started.loaded.config, Path(started.arguments.file)
    contents, aside = restore(config, archive)
    console = Console.of_process(started.environ)
    console.say(f"restored {number_of_files(len(contents.files))} of {contents.created_at}")
    if aside is not None:
        console.note(f"exai: what was there is in {aside}; delete it when you need it no more")
    return 0


def restore(config: Config, archive: Path) -> tuple[Contents, Path | None]:
    """What was restored, and where what was there is now. Raises ServiceUnavailableError while a daemon has the home, NotFoundError,
    StorageError. If it is killed midway the same restore does the rest."""
    if not archive.is_file():
        raise NotFoundError(f"there is no file {archive}")
    with own_home(config), ExitStack() as stack:
        staging = config.home / _STAGING
        stack.callback(shutil.rmtree, staging, ignore_errors=True)
        try:
            shutil.rmtree(staging, ignore_errors=True)
            contents = unpack(archive, private_directory(staging))
            _check(staging / DATABASE)
            return contents, _exchange(config.home, staging)
        except OSError as fault:
            raise StorageError(f"{config.home} cannot be restored: {fault}") from fault


def _check(database: Path) -> None:
    """Raises StorageError, also for a database of a newer EXAI."""
    faults = faults_of(database, full=True) if database.exists() else ["it has no database"]
    if faults:
        raise StorageError(f"the backup cannot be used: {faults[0]}")


def _exchange(home: Path, staging: Path) -> Path | None:
    """The database last: until it is there the home keeps nothing, and is no mixture."""
    there = [path for path in (home / "state").glob(f"{Path(DATABASE).name}*") if path.is_file()]
    there += [home / folder for folder in FOLDERS if (home / folder).exists()]
    aside = _free(home / _ASIDE) if there else None
    for path in there:
        if aside is not None:
            place = aside / path.relative_to(home)
            private_directory(place.parent)
            path.rename(place)
    for folder in FOLDERS:
        if (staging / folder).exists():
            (staging / folder).rename(home / folder)
    private_directory(home / "state")
    (staging / DATABASE).rename(home / DATABASE)
    return aside


def _free(path: Path) -> Path:
    number = 1
    while (found := path.with_name(f"{path.name}-{number}")).exists():
        number += 1
    return found
