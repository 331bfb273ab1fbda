"""Tokens in files: the one that a daemon makes for its own user, and the one that EXAI_WS_TOKEN_FILE names.

All of it blocks on the disk, for a file of one line.
"""

import os
import stat
from pathlib import Path
from typing import Final

from exai_trio.errors import ArgumentError
from exai_trio.settings.tokens import ALLOWED, LEAST, is_good, is_possible
from exai_trio.system.private_files import replace_private

VARIABLE: Final = "EXAI_WS_TOKEN_FILE"
_MOST_BYTES: Final = 10_000
_OTHERS: Final = 0o077


def named_token(path: Path, *, on_loopback: bool) -> str:
    """What the file that EXAI_WS_TOKEN_FILE names holds. Raises ArgumentError, which never repeats any of it."""
    try:
        text, _ = _content(path, 0)
    except OSError as fault:
        raise _useless(f"{path} cannot be read: {fault.strerror or fault}") from None
    if not is_possible(text):
        raise _useless(f"{path} must hold {ALLOWED}")
    if not on_loopback and not is_good(text):
        raise _useless(
            f"the token in {path} has fewer than {LEAST} characters, which is too few off loopback"
        )
    return text


def token_of_home(path: Path) -> str:
    """The token that the daemon of this home made; empty where there is none, or not one of our own."""
    try:
        text, status = _content(path, os.O_NOFOLLOW)
    except OSError:  # audit: empty-handler, because "" is the answer: no token of ours
        return ""
    return text if status.st_uid == os.geteuid() and is_good(text) else ""


def made_token(path: Path, wanted: str = "") -> str:
    """The home's token for the one who holds the home: the one that is there, unless others may read it; else `wanted` or a new
    one, and it is there now. Raises OSError."""
    try:
        text, status = _content(path, os.O_NOFOLLOW)
        kept = status.st_uid == os.geteuid() and not status.st_mode & _OTHERS and is_good(text)
    except OSError:
        kept, text = False, ""
    if kept and (not wanted or text == wanted):
        return text
    import secrets  # clients make none

    token = wanted or secrets.token_urlsafe(32)
    replace_private(path, f"{token}\n".encode())
    return token


def _content(path: Path, flags: int) -> tuple[str, os.stat_result]:
    """Raises OSError, also for what is no file: a pipe would be waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{path} is no regular file")
        return os.read(descriptor, _MOST_BYTES).decode("ascii", "replace").strip(), status
    finally:
        os.close(descriptor)


def _useless(text: str) -> ArgumentError:
    return ArgumentError(f"{VARIABLE}: {text}", details={"field": VARIABLE})
