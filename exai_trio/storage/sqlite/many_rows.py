"""Many rows in few statements: each statement gives up the interpreter, and waits for it."""

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:  # one module loads sqlite3
    from sqlite3 import Connection

_AT_ONCE: Final = 50  # rows of a statement


def insert_many(
    connection: "Connection", begin: str, rows: Sequence[tuple[Any, ...]], end: str = ""
) -> None:
    """In their order, in statements of many as far as they go; `begin` and `end` are what stands around the values."""
    if not rows:
        return
    row = f"({', '.join('?' * len(rows[0]))})"
    many = f"{begin} VALUES {', '.join([row] * _AT_ONCE)} {end}"
    whole = len(rows) - len(rows) % _AT_ONCE
    for first in range(0, whole, _AT_ONCE):
        connection.execute(many, [*chain(*rows[first : first + _AT_ONCE])])
    connection.executemany(f"{begin} VALUES {row} {end}", rows[whole:])
