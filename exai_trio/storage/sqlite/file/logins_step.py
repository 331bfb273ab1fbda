"""The table of the logins of pages, as a step of the schema. Pure: text only."""

from typing import Final

LOGINS_STEP: Final[tuple[str, ...]] = (
    """
    CREATE TABLE page_logins (
        hash TEXT PRIMARY KEY,
        principal TEXT NOT NULL,
        proof TEXT NOT NULL,
        claims TEXT NOT NULL,
        ends REAL NOT NULL
    ) STRICT
    """,
)
