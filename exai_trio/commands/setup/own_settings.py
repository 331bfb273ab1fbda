"""The user's own settings file on disk: one assignment set or taken out at a time, for their eyes alone."""

import fcntl
import os
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from exai_trio.settings.env_text import with_assignment, without_assignments
from exai_trio.system.private_files import private_directory, replace_private

_OTHERS: Final = 0o077


def write_setting(path: Path, name: str, value: str, others: Collection[str] = ()) -> None:
    """Set `name` there and take out `others`, further names of the same setting. Raises OSError; then the file is as it was."""
    edit_private(path, partial(with_assignment, name=name, value=value, others=others))


def remove_settings(path: Path, names: Collection[str]) -> None:
    """Take these out. Raises OSError; then the file is as it was."""
    if path.exists():
        edit_private(path, partial(without_assignments, names=names))


def edit_private(path: Path, change: Callable[[str], str]) -> None:
    """Replace the text of the file, which need not be there, by what `change` makes of it: mode 0600, at once, and one after the
    other where several do. A link stays one. Raises OSError, also for a text that is not UTF-8; then the file is as it was."""
    target = path.resolve()
    with _alone(private_directory(target.parent)):
        try:
            text = target.read_bytes().decode("utf-8") if target.exists() else ""
        except UnicodeDecodeError as fault:
            why = f"{target} is not UTF-8"
            raise OSError(why) from fault
        changed = change(text)
        if changed != text or target.stat().st_mode & _OTHERS:
            _replace(target, changed.encode())


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, data: bytes) -> None:
    try:
        replace_private(path, data)
    except OSError:
        path.with_name(f"{path.name}.{os.getpid()}.new").unlink(missing_ok=True)
        raise
