"""The tables behind the pages, as a step of the schema: logins, and in which calls incidents were seen. Pure: text only."""

from typing import Final

PAGES_STEP: Final[tuple[str, ...]] = (
    """
    CREATE TABLE page_logins (
        hash TEXT PRIMARY KEY,
        principal TEXT NOT NULL,
        proof TEXT NOT NULL,
        claims TEXT NOT NULL,
        ends REAL NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE incident_calls (
        incident TEXT NOT NULL REFERENCES error_investigations (id) ON DELETE CASCADE,
        correlation_id TEXT NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (incident, correlation_id)
    ) STRICT
    """,
    "CREATE INDEX incident_calls_by_call ON incident_calls (correlation_id)",
)
