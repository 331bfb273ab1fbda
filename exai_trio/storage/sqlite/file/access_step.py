"""The tables of tokens that were issued: a step of the schema. Pure: text only."""

from typing import Final

ACCESS_STEP: Final = (
    """
    CREATE TABLE access_tokens (
        id TEXT PRIMARY KEY,
        subject TEXT NOT NULL,
        role TEXT NOT NULL,
        scope TEXT NOT NULL,
        key_id TEXT NOT NULL,
        issued_at REAL NOT NULL,
        ends REAL NOT NULL,
        revoked_at REAL,
        used_at REAL,
        used_from TEXT NOT NULL,
        calls_per_minute INTEGER NOT NULL,
        concurrent INTEGER NOT NULL,
        tokens_per_day INTEGER NOT NULL,
        change INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE INDEX access_tokens_by_change ON access_tokens (change)",
    "CREATE INDEX access_tokens_by_subject ON access_tokens (subject)",
    """
    CREATE TABLE access_subjects (
        subject TEXT PRIMARY KEY,
        revoked_at REAL NOT NULL,
        ends REAL NOT NULL,
        change INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE TABLE access_change (number INTEGER NOT NULL) STRICT",
    "INSERT INTO access_change VALUES (0)",
)
