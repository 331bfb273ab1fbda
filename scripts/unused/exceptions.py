"""What may stay though nobody seems to use it, each with a reason: exceptions.toml."""

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import attrs

FILE: Final = Path(__file__).with_name("exceptions.toml")
_KEYS: Final = {"kind", "file", "names", "because"}
KINDS: Final = ("name", "function")
_LEAST_REASON: Final = 12  # characters


class Wrong(Exception):
    """An exception that cannot be meant: the file, the key, and what is allowed."""


@attrs.define
class Exceptions:
    """`used` are the patterns that something fitted: the others are no longer needed."""

    entries: list
    used: set = attrs.field(factory=set)

    def allows(self, kind, file, name):
        for number, entry in enumerate(self.entries):
            if entry["kind"] == kind and fnmatchcase(file, entry["file"]):
                for pattern in entry["names"]:
                    if fnmatchcase(name, pattern):
                        self.used.add((number, pattern))
                        return True
        return False

    def idle(self, kind):
        """Those of this kind that allow nothing."""
        return [
            f"exceptions.toml: {entry['file']}: {pattern}: nothing unused has this name; take it out"
            for number, entry in enumerate(self.entries)
            for pattern in entry["names"]
            if entry["kind"] == kind and (number, pattern) not in self.used
        ]


def read(path=FILE):
    """Raises Wrong."""
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("unused", [])
    except (OSError, tomllib.TOMLDecodeError) as fault:
        raise Wrong(f"{path.name}: cannot be read: {fault}") from fault
    for entry in entries:
        where = f"{path.name}: {entry.get('file', '?')}"
        if set(entry) != _KEYS:
            raise Wrong(
                f"{where}: has {', '.join(sorted(entry))}; allowed, and needed: {', '.join(sorted(_KEYS))}"
            )
        if entry["kind"] not in KINDS:
            raise Wrong(f"{where}: kind is {entry['kind']!r}; allowed: {', '.join(KINDS)}")
        if len(str(entry["because"]).strip()) < _LEAST_REASON:
            raise Wrong(
                f"{where}: because is {entry['because']!r}; allowed: a reason that a stranger accepts"
            )
    return Exceptions(entries)
