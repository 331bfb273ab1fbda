"""Which paths a tool may read: absolute, and inside an allowed root once every link is resolved. Pure: nothing is opened here.

The same message answers for a path outside the roots whether or not something is there.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote_to_bytes

from exai_trio.errors import ArgumentError

SETTING = "EXAI_ALLOWED_ROOTS"
_LONGEST = 4096  # characters
_SHOWN = 200  # characters of a path in a message
_ADVICE = f"Give an absolute path inside an allowed root ({SETTING})."

_QUOTES = "\"'`“”‘’«»<>"  # as paths are quoted in shells and in prose
_SCHEME = re.compile(r"(?!file:)([a-z][a-z0-9+.-]+):/", re.IGNORECASE)  # longer than a drive
_FILE_URL = re.compile(
    r"file:(?://(?P<host>[^/]*)(?=/)|(?!//))(?P<path>/.*)", re.IGNORECASE | re.DOTALL
)
_LINES = re.compile(r"#L\d[\dLC:-]*$")  # as editors point at lines
# What names this machine in a file URL.
_OWN_HOST = frozenset({"", "localhost"})
# Forms that are no absolute path here, though their writer means one.
_FORMS = (
    (re.compile(r"/?[a-zA-Z]:|\\"), "is a Windows path; EXAI runs where paths begin with /"),
    (re.compile(r"~"), "begins with ~, which is not expanded: write the home directory out"),
    (re.compile(r"\$|%\w+%"), "begins with a variable, which is not expanded: write it out"),
    (re.compile(r"file:", re.IGNORECASE), "is a file URL without an absolute path"),
)


def parse(given: str) -> Path:
    """The path that is meant: without blanks and quotes around it, out of its file URL.

    Raises: ArgumentError that says what is wrong if it is relative, of another system or machine, or can be no path at all.
    """
    if len(given) > _LONGEST:
        raise ArgumentError(
            f"A path of {len(given)} characters names no file; {_LONGEST} is the most.",
            details={"path": shown(given)},
        )
    text = bare(given)
    if not text or "\0" in text:
        raise _no_name(given)
    if not text.startswith("/"):
        text = _from_url(given, text)
    # Two slashes at the beginning mean the same here, but pathlib keeps them.
    return Path("/" + text.lstrip("/"))


def bare(given: str) -> str:
    """Without the blanks and quotes around it, which people paste along."""
    return given.strip().strip(_QUOTES).strip()


def _from_url(given: str, text: str) -> str:
    if scheme := _SCHEME.match(text):
        raise _refusal(given, f"is a URL ({scheme[1]}:); nothing is fetched")
    if not (url := _FILE_URL.fullmatch(text)):
        raise _refusal(given, _what_is_wrong(text))
    if (host := url["host"] or "").lower() not in _OWN_HOST:
        raise _refusal(given, f"is a file of another machine ({shown(host)!r})")
    path = os.fsdecode(unquote_to_bytes(_LINES.sub("", url["path"])))
    if "\0" in path:
        raise _no_name(given)
    if _FORMS[0][0].match(path):
        raise _refusal(given, _FORMS[0][1])
    return path


def _what_is_wrong(text: str) -> str:
    return next((wrong for form, wrong in _FORMS if form.match(text)), "is a relative path")


def _refusal(given: str, wrong: str) -> ArgumentError:
    name = shown(given)
    return ArgumentError(f"{name!r} {wrong}. {_ADVICE}", details={"path": name, "setting": SETTING})


def _no_name(given: str) -> ArgumentError:
    return ArgumentError(
        "An empty path, or one with a NUL character, names no file.",
        details={"path": shown(given)},
    )


def check_inside(given: str, resolved: Path, roots: Iterable[Path]) -> None:
    """Raises: ArgumentError unless `resolved`, a path without links and `..`, is a root or lies inside one."""
    allowed = tuple(roots)
    if not is_inside(resolved, allowed):
        names = ", ".join(map(str, allowed)) or "none is set"
        raise ArgumentError(
            f"{shown(given)!r} is outside the allowed roots ({names}). Name a file inside them, or set {SETTING};"
            " a daemon in a container sees only what is mounted there (EXAI_PROJECTS in compose.yaml).",
            details={"path": shown(given), "setting": SETTING},
        )


def is_inside(resolved: Path, roots: Iterable[Path]) -> bool:
    """Whether it is one of the roots or lies inside one; roots that have links in them hold nothing."""
    return any(_is_within(str(resolved), str(root)) for root in roots)


def _is_within(path: str, root: str) -> bool:
    """Of paths as pathlib writes them; `is_relative_to` is slow for hundreds of files."""
    return path == root or path.startswith(root if root.endswith(os.sep) else root + os.sep)


def shown(given: str) -> str:
    """A path fit for a message or a prompt: one line, not too long."""
    beginning = given[: _SHOWN + 1]
    one_line = beginning
    if not beginning.isprintable():
        one_line = "".join(c if c.isprintable() else "�" for c in beginning)
    return one_line if len(one_line) <= _SHOWN else f"{one_line[: _SHOWN - 1]}…"
