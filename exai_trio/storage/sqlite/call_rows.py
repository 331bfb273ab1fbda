"""Pages of the ended calls out of the SQLite file, by the number of their row."""

from string import Template
from typing import TYPE_CHECKING, Any, Final

import msgspec

from exai_trio.observability.events import CallEnded, Span
from exai_trio.storage.call_pages import EQUAL, CallFilter, CallsAt, NumberedCall

if TYPE_CHECKING:  # one module imports sqlite3
    import sqlite3

_BOUNDS: Final = (
    ("least_ms", "duration_ms >= ?"),
    ("most_ms", "duration_ms <= ?"),
    ("since", "started_at >= ?"),
    ("until", "started_at <= ?"),
)
_spans_decoder: Final = msgspec.json.Decoder(tuple[Span, ...])
_PAGE: Final = Template("SELECT * FROM calls $where ORDER BY number DESC LIMIT ?")
_NOT_OF_THE_CALL: Final = frozenset({"number", "hour"})


def encode_spans(spans: tuple[Span, ...]) -> str:
    return msgspec.json.encode(spans).decode()


def decode_spans(text: str) -> tuple[Span, ...]:
    return _spans_decoder.decode(text)


def calls_of(found: "sqlite3.Cursor") -> tuple[NumberedCall, ...]:
    """Of whole rows."""
    names = [name for name, *_ in found.description]
    return tuple(_numbered(dict(zip(names, row, strict=True))) for row in found)


def _numbered(row: dict[str, Any]) -> NumberedCall:
    fields = {name: value for name, value in row.items() if name not in _NOT_OF_THE_CALL}
    fields["spans"] = decode_spans(row["spans"]) if row["spans"] else ()
    return NumberedCall(row["number"], CallEnded(**fields))


def read_page(
    connection: "sqlite3.Connection", wanted: CallFilter, before: int | None, most: int
) -> tuple[NumberedCall, ...]:
    where, values = _conditions(wanted, before)
    query = _PAGE.substitute(where=where)
    return calls_of(connection.execute(query, (*values, most)))


def read_one(connection: "sqlite3.Connection", call_id: str) -> NumberedCall | None:
    query = "SELECT * FROM calls WHERE id = ? ORDER BY number DESC LIMIT 1"
    return next(iter(calls_of(connection.execute(query, (call_id,)))), None)


_SERIES: Final = """
    SELECT CAST(started_at / :step AS INTEGER) AS number, count(*), sum(code <> ''), avg(duration_ms)
    FROM calls WHERE started_at >= :since AND (:provider IS NULL OR provider = :provider)
    GROUP BY number ORDER BY number
"""


def read_series(
    connection: "sqlite3.Connection", since: float, step_s: float, provider: str | None
) -> tuple[CallsAt, ...]:
    values = {"since": since, "step": step_s, "provider": provider}
    return tuple(
        CallsAt(number * step_s, calls, failures, mean_ms)
        for number, calls, failures, mean_ms in connection.execute(_SERIES, values)
    )


def _conditions(wanted: CallFilter, before: int | None) -> tuple[str, list[Any]]:
    """As SQL and its values. The plus keeps SQLite to the rows' own order: it would sort what another index finds."""
    wishes = [(name, f"{name} = ?") for name in EQUAL]
    wishes += [(name, f"+{condition}") for name, condition in _BOUNDS]
    found: list[tuple[str, Any]] = [] if before is None else [("number < ?", before)]
    found += [
        (condition, value)
        for name, condition in wishes
        if (value := getattr(wanted, name)) is not None
    ]
    if wanted.failed is not None:
        found.append(("(code <> '') = ?", wanted.failed))
    words = " AND ".join(condition for condition, _ in found)
    return f"WHERE {words}" if found else "", [value for _, value in found]
