"""The file that an answer is written to: looked at before anything is asked, and replaced as a whole."""

import os
from pathlib import Path

from exai_trio.commands.calling.key_value import WordError
from exai_trio.errors import StorageError


def check(path: Path, typed: str) -> None:
    """Raises WordError if an answer could not be written there: it would have been paid for."""
    if fault := _fault(path):
        raise WordError(f"-o {typed}: {fault}", details={"typed": typed, "instead": "answer.md"})


def _fault(path: Path) -> str:
    if path.is_dir():
        return "is a directory; name a file in it"
    if path.is_file() and not os.access(path, os.W_OK):
        return "may not be written; name another file"
    if not path.parent.is_dir():
        return f"there is no directory {path.parent}; make it first"
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return f"nothing may be written in {path.parent}; name another place"
    return ""


def write(path: Path, text: str) -> None:
    """Write the answer, and an end of line, so that the file has the old text or the whole new one. Raises StorageError.

    A link is followed, and a file keeps its permissions.
    """
    place = Path(os.path.realpath(path))
    text = text.rstrip("\n") + "\n"
    fresh = place.with_name(f".{place.name}.{os.getpid()}.new")
    try:
        if place.exists() and not place.is_file():  # a pipe, a terminal
            place.write_text(text, encoding="utf-8")
            return
        fresh.write_text(text, encoding="utf-8")
        if place.exists():
            fresh.chmod(place.stat().st_mode & 0o777)
        fresh.replace(place)
    except OSError as fault:
        fresh.unlink(missing_ok=True)
        raise StorageError(f"{path} cannot be written: {fault}") from fault
