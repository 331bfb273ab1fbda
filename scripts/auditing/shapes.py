"""What a declaration may hold: a value beside its shape. A shape is a Leaf, a list of one shape, or a dictionary of them."""

import tomllib
from datetime import date
from reprlib import repr as shown


class Wrong(Exception):
    """A declaration that cannot be meant: one line, with file, key and what is allowed."""


class Leaf:
    """A value by itself: whether it fits, and what is allowed in words."""

    def __init__(self, fits, allowed):
        self.fits = fits
        self.allowed = allowed


TEXT = Leaf(lambda value: isinstance(value, str) and bool(value.strip()), "a text")
DATE = Leaf(lambda value: type(value) is date, "a date, as 2026-01-31")
ANY = str  # as a key: whatever it is called


def one_of(words):
    return Leaf(lambda value: isinstance(value, str) and value in words, ", ".join(words))


def number(least, most, *kinds):
    allowed = f"{'a whole number' if kinds == (int,) else 'a number'} from {least} to {most}"
    return Leaf(lambda value: type(value) in kinds and least <= value <= most, allowed)


def read(path, shape):
    """The TOML in this file. Raises Wrong."""
    try:
        value = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise Wrong(f"{path}: cannot be read: {fault}") from fault
    check(value, shape, str(path))
    return value


def check(value, shape, where):
    """Raises Wrong. A key that ends in ? may be left out."""
    if isinstance(shape, Leaf):
        if not shape.fits(value):
            raise Wrong(f"{where}: {shown(value)} is not allowed; allowed: {shape.allowed}")
    elif isinstance(shape, list):
        _is(value, list, "a list", where)
        for place, each in enumerate(value, 1):
            check(each, shape[0], f"{where}: {_name(each, place)}")
    else:
        _is(value, dict, "a table", where)
        for key, inner in _fields(value, shape, where).items():
            check(value[key], inner, f"{where}: {key}")


def _is(value, kind, called, where):
    if not isinstance(value, kind):
        raise Wrong(f"{where}: {shown(value)} is not allowed; allowed: {called}")


def _fields(value, shape, where):
    """The shape of each key that is given."""
    if ANY in shape:
        return dict.fromkeys(value, shape[ANY])
    known = {key.rstrip("?"): inner for key, inner in shape.items()}
    for key in value:
        if key not in known:
            raise Wrong(f"{where}: unknown key {key!r}; allowed: {', '.join(sorted(known))}")
    for key in shape:
        if not key.endswith("?") and key not in value:
            raise Wrong(f"{where}: {key}: is missing; allowed: {_allowed(shape[key])}")
    return {key: known[key] for key in value}


def _allowed(shape):
    return (
        shape.allowed
        if isinstance(shape, Leaf)
        else "a list"
        if isinstance(shape, list)
        else "a table"
    )


def _name(entry, place):
    """What an entry of a list calls itself, or its place."""
    named = isinstance(entry, dict) and (entry.get("id") or entry.get("name"))
    return named if isinstance(named, str) and named else str(place)
