"""The routes of our HTTP ports as values: a method, a path, what it gives, and what answers. Pure.

Whoever adds an answer to a port adds a `Route` to its table; who may have it follows from what it gives.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

import attrs

from exai_trio import structs
from exai_trio.errors import ArgumentError

from .page_viewer import Gives, Viewer

MOST_ROWS: Final = 200  # of a list in one answer
_ROWS: Final = 50


@structs.frozen(kw_only=True, eq=False)
class Asked:
    """A request that was let in: `path` has the named parts of its path, `query` the last value of each name, `body` the JSON
    object that came with it; `token` is its Bearer; `raw` is the ASGI scope."""

    by: Viewer
    path: Mapping[str, str] = attrs.field(factory=dict[str, str])
    query: Mapping[str, str] = attrs.field(factory=dict[str, str])
    body: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    token: str = attrs.field(default="", repr=False)
    raw: Mapping[str, Any] = attrs.field(factory=dict[str, Any], repr=False)

    def number(self, name: str, default: float, *, least: float, most: float) -> float:
        """A number of the query. Raises ArgumentError if it is none, or out of these bounds."""
        given = self.query.get(name, "")
        try:
            value = float(given) if given else default
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            text = f"{name} must be a number from {least:g} to {most:g}"
            raise ArgumentError(text, details={"field": name})
        return value

    @property
    def limit(self) -> int:
        """How many rows of a list are wanted. Raises ArgumentError."""
        return int(self.number("limit", _ROWS, least=1, most=MOST_ROWS))

    @property
    def before(self) -> float | None:
        """The key of the last row that is known: the list goes on after it. Raises ArgumentError."""
        return self.number("before", 0, least=0, most=2**53) if self.query.get("before") else None

    def text(self, name: str, most: int = 200) -> str:
        """A text of the body. Raises ArgumentError if there is none."""
        given = self.body.get(name)
        if not isinstance(given, str) or not given or len(given) > most:
            text = f"{name} must be a text of 1 to {most} characters"
            raise ArgumentError(text, details={"field": name})
        return given


@structs.frozen(kw_only=True)
class Content:
    """An answer that is no plain JSON with status 200."""

    body: bytes
    media: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])


# What comes back is plain data, which is sent as JSON, or Content. ExaiErrors are told with a status of HTTP.
Answer = Callable[[Asked], Awaitable[object]]


@structs.frozen(eq=False)
class Route:
    """`path` may have named parts: /api/calls/{id}. GET and HEAD change nothing."""

    path: str
    gives: Gives
    answer: Answer
    method: str = "GET"


@structs.frozen(eq=False)
class RouteTable:
    """No two routes have the same method and path."""

    routes: tuple[Route, ...]

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """The route and the named parts of this path."""
        wanted = "GET" if method == "HEAD" else method
        return next((found for found in self._at(path) if found[0].method == wanted), None)

    def methods(self, path: str) -> tuple[str, ...]:
        return tuple(route.method for route, _ in self._at(path))

    def _at(self, path: str) -> Iterable[tuple[Route, dict[str, str]]]:
        for route in self.routes:
            parts = _parts(route.path, path)
            if parts is not None:
                yield route, parts


def _parts(pattern: str, path: str) -> dict[str, str] | None:
    wanted, given = pattern.split("/"), path.split("/")
    if len(wanted) != len(given):
        return None
    parts: dict[str, str] = {}
    for name, value in zip(wanted, given, strict=True):
        if name[:1] == "{":
            if not value:
                return None
            parts[name[1:-1]] = value
        elif name != value:
            return None
    return parts
