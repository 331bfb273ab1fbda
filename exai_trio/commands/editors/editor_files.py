"""An editor's file on disk: read, replaced at once with its mode kept, and a copy of how it was before EXAI stood in it."""

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from exai_trio import structs
from exai_trio.system.private_files import open_at_once, replace_private

_SUFFIX: Final = ".before-exai"
_MOST_BYTES: Final = 16 * 1024 * 1024
_ANYBODY_WRITES: Final = 0o222


class CannotChange(Exception):
    """The file cannot be read or written. Nothing was changed; the text says what is the matter and what to do."""


@structs.frozen
class EditorFile:
    """The file at `path`, or what a link there leads to."""

    path: Path

    @property
    def target(self) -> Path:
        """Raises CannotChange for a link that leads nowhere but to itself."""
        try:
            return self.path.resolve()
        except (OSError, RuntimeError) as fault:
            raise CannotChange(f"{self.path} is a link that leads nowhere; remove it") from fault

    @property
    def copy(self) -> Path:
        """Where the copy of how it was is, if there is one: it may hold other servers' secrets, and is its owner's alone."""
        return self.target.with_name(self.target.name + _SUFFIX)

    def text(self) -> str | None:
        """None where there is no file. Raises CannotChange."""
        return _read(self.target)

    def text_before(self) -> str | None:
        """The copy. Raises CannotChange."""
        return _read(self.copy)

    def write(self, text: str, *, keep: str | None = None) -> None:
        """Replace the file, after a copy of `keep` was made, if that is given. Raises CannotChange."""
        self._check_writable()
        try:
            if keep is not None:
                replace_private(self.copy, keep.encode())
            _replace(self.target, text.encode())
        except OSError as fault:
            if keep is not None:
                self.drop_copy()
            raise CannotChange(
                f"{self.target} cannot be written ({_why(fault)}); nothing was changed"
            ) from fault

    def delete(self) -> None:
        """Raises CannotChange."""
        try:
            self.target.unlink(missing_ok=True)
        except OSError as fault:
            raise CannotChange(f"{self.target} cannot be deleted ({_why(fault)})") from fault

    def drop_copy(self) -> None:
        # audit: suppress, because a copy that stays does no harm
        with suppress(OSError):
            self.copy.unlink(missing_ok=True)

    def _check_writable(self) -> None:
        target = self.target
        if target.exists() and not (
            target.stat().st_mode & _ANYBODY_WRITES and os.access(target, os.W_OK)
        ):
            raise CannotChange(
                f"{target} is read-only; `chmod u+w '{target}'` lets it be changed. Nothing was changed"
            )


def _read(path: Path) -> str | None:
    try:
        if not path.exists():
            return None
        if not stat.S_ISREG(path.stat().st_mode):
            raise CannotChange(f"{path} is no file; nothing was changed")
        with open_at_once(path) as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as fault:
        raise CannotChange(f"{path} cannot be read ({_why(fault)}); nothing was changed") from fault
    if len(data) > _MOST_BYTES:
        raise CannotChange(f"{path} has more than {_MOST_BYTES:,} bytes; nothing was changed")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise CannotChange(f"{path} is not UTF-8; nothing was changed") from fault


def _replace(path: Path, data: bytes) -> None:
    """A reader sees the old or the new one, with the mode of the old one."""
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
    replace_private(path, data)
    if mode is not None:
        path.chmod(mode)


def _why(fault: OSError) -> str:
    return fault.strerror or str(fault)
