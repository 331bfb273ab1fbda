"""A note in the home of its last backup: when it was, and which file."""

from pathlib import Path
from typing import Final

from exai_trio import structs
from exai_trio.system.private_files import private_directory, replace_private

_NAME: Final = "last_backup"


@structs.frozen
class LastBackup:
    """`at` is in seconds since 1970."""

    at: float
    file: str


def note_backup(state: Path, file: Path) -> None:
    """Raises OSError."""
    replace_private(private_directory(state) / _NAME, str(file).encode())


def last_backup(state: Path) -> LastBackup | None:
    """None if there was none. Raises OSError."""
    path = state / _NAME
    if not path.is_file():
        return None
    return LastBackup(path.stat().st_mtime, path.read_text(errors="replace"))
