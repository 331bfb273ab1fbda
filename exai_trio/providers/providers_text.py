"""Changing one provider in the text of EXAI_PROVIDERS_FILE, while everything else in it stays as it is. Pure."""

import json
import re
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final, cast

from exai_trio import structs
from exai_trio.errors import ArgumentError, NotFoundError

from .catalogue import load_catalogue
from .providers_file import VARIABLE, parse_providers

_HEADER: Final = re.compile(r"\s*\[\[\s*provider\s*\]\]\s*(#.*)?")


@structs.frozen(kw_only=True)
class Entry:
    """A provider as it is written. `windows` are its models, by what they hold; a server of this machine is asked for its own."""

    name: str
    base_url: str
    key_variable: str = ""
    windows: tuple[tuple[str, int], ...] = ()


def entries_of(text: str) -> tuple[dict[str, Any], ...]:
    """The providers in the file, as it has them. Raises ArgumentError if it is no TOML."""
    try:
        listed: object = tomllib.loads(text).get("provider", [])
    except tomllib.TOMLDecodeError as fault:
        raise ArgumentError(f"{VARIABLE}: {fault}", details={"field": VARIABLE}) from fault
    entries = cast("list[object]", listed) if isinstance(listed, list) else []
    return tuple(cast("dict[str, Any]", each) for each in entries if isinstance(each, dict))


def with_provider(text: str, entry: Entry) -> str:
    """The text with that provider at its end. Raises ArgumentError for what the file could not hold, such as a name twice."""
    before = f"{text}\n" if text and not text.endswith("\n") else text
    changed = "\n".join([*([before] if before else []), *_lines(entry), ""])
    parse_providers(changed, load_catalogue(), {}, 1.0)
    return changed


def without_provider(text: str, name: str) -> str:
    """The text without that provider and its models; comments outside of them stay. Raises NotFoundError; ArgumentError where it is
    written in a way that only a person should change."""
    entries = entries_of(text)
    if name not in (names := [each.get("name") for each in entries]):
        there = ", ".join(map(str, names)) or "none"
        raise NotFoundError(f"no provider is called {name!r} in the file; there: {there}")
    changed = "".join(part for part in _kept(text, name))
    try:
        left = list(entries_of(changed))
    except ArgumentError:
        left = []
    if left != [each for each in entries if each.get("name") != name]:
        raise ArgumentError(
            f"{name} is not written as a [[provider]] of its own: take it out by hand"
        )
    return changed


def _lines(entry: Entry) -> Iterator[str]:
    yield "[[provider]]"
    yield f"name = {_text(entry.name)}"
    yield f"base_url = {_text(entry.base_url)}"
    if entry.key_variable:
        yield f"key_variable = {_text(entry.key_variable)}"
    for name, window in entry.windows:
        yield ""
        yield "[[provider.model]]"
        yield f"name = {_text(name)}"
        yield f"context_window = {window}"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _kept(text: str, name: str) -> Iterator[str]:
    for part in _parts(text.splitlines(keepends=True)):
        if _name_in(part) != name:
            yield "".join(part)
        else:
            yield "".join(_after(part))


def _parts(lines: list[str]) -> Iterator[list[str]]:
    """What is before the first [[provider]], then each with all that follows."""
    starts = [number for number, line in enumerate(lines) if _HEADER.fullmatch(line.rstrip("\n\r"))]
    bounds = [0, *starts, len(lines)]
    for start, end in pairwise(bounds):
        yield lines[start:end]


def _name_in(part: list[str]) -> str:
    try:
        (entry,) = entries_of("".join(part))
    except (ArgumentError, ValueError):
        # audit: empty-handler, because an entry that cannot be read has no name
        return ""
    return str(entry.get("name"))


def _after(part: list[str]) -> list[str]:
    """Comments at the end of a part, behind a blank line, are about what comes next."""
    end = len(part)
    while end and (not part[end - 1].strip() or part[end - 1].lstrip().startswith("#")):
        end -= 1
    rest = part[end:]
    blank = next((number for number, line in enumerate(rest) if not line.strip()), len(rest))
    return rest[blank + 1 :] if any(line.strip() for line in rest[blank:]) else []
