"""Changing one assignment in the text of an env file, while everything else in it stays as it is. Pure."""

from collections.abc import Collection

from exai_trio.settings import dotenv


def with_assignment(text: str, name: str, value: str, others: Collection[str] = ()) -> str:
    """The text with `name` set to the value, where it was set or at the end; assignments to the `others` go."""
    line = f"{name}={dotenv.quoted(value)}"
    kept: list[str] = []
    done = False
    for each in _lines(text):
        if _sets(each, {name}):
            kept += [] if done else [line]
            done = True
        elif not _sets(each, others):
            kept.append(each)
    return _joined(kept if done else [*kept, line])


def without_assignments(text: str, names: Collection[str]) -> str:
    return _joined([each for each in _lines(text) if not _sets(each, names)])


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def _joined(lines: list[str]) -> str:
    return "\n".join([*lines, ""]) if lines else ""


def _sets(line: str, names: Collection[str]) -> bool:
    """Also where what follows the name cannot be read."""
    found = dotenv.parse(line)
    assigned = {*found.values, *(name for _, name in found.bad_lines)}
    return not assigned.isdisjoint(names)
