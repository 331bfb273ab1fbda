"""Paths as a shell means them: relative ones begin in its working directory, and ~ is its user's home."""

import os
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

# The arguments of tools that are paths, whatever the tool.
PATHS: Final = frozenset(
    {
        "destination",
        "file",
        "file_path",
        "files",
        "images",
        "path",
        "relevant_files",
    }
)
_ABSOLUTE: Final = ("/", "data:", "file:", "http:", "https:")


def anchored(arguments: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """The arguments with whole paths in place of those that begin in `folder`."""
    if not folder:
        return dict(arguments)
    return {
        name: _anchored(value, folder) if name in PATHS else value
        for name, value in arguments.items()
    }


def _anchored(value: object, folder: str) -> object:
    if isinstance(value, list):
        return [_anchored(each, folder) for each in cast("list[object]", value)]
    return whole_path(value, folder) if isinstance(value, str) else value


def whole_path(given: str, folder: str) -> str:
    """The path from the root. Links stay: where they lead is the daemon's to judge."""
    if not given or given.startswith(_ABSOLUTE):
        return given
    return os.path.normpath(os.path.join(folder, os.path.expanduser(given)))  # noqa: PTH111, PTH118  # raises for nobody


def roots(folder: str, paths: Iterable[str]) -> tuple[str, ...]:
    """The working directory, and whatever was named outside of it: who types a path may read it."""
    outside = (path for path in paths if not _is_within(path, folder))
    return (folder, *dict.fromkeys(outside))


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
