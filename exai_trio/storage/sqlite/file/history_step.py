"""The step to a history of figures and usage: the hours of what was called before are made of the calls that are kept. Pure: text only."""

from typing import Final

HISTORY_STEP: Final[tuple[str, ...]] = (
    """
    CREATE TABLE metric_points (
        number INTEGER PRIMARY KEY,
        step INTEGER NOT NULL,
        at REAL NOT NULL,
        boot TEXT NOT NULL,
        packed BLOB NOT NULL
    ) STRICT
    """,
    "CREATE INDEX metric_points_by_time ON metric_points (step, at)",
    """
    CREATE TABLE usage_hours (
        hour INTEGER NOT NULL,
        principal TEXT NOT NULL,
        project TEXT NOT NULL,
        tool TEXT NOT NULL,
        model TEXT NOT NULL,
        currency TEXT NOT NULL,
        calls INTEGER NOT NULL,
        failures INTEGER NOT NULL,
        input_tokens INTEGER,
        cached_tokens INTEGER,
        output_tokens INTEGER,
        reasoning_tokens INTEGER,
        cost REAL,
        unpriced INTEGER NOT NULL,
        PRIMARY KEY (hour, principal, project, tool, model, currency)
    ) STRICT
    """,
    """
    INSERT INTO usage_hours
    SELECT hour, principal, project, tool, model, currency, count(*), sum(code <> ''), sum(input_tokens),
        sum(cached_tokens), sum(output_tokens), sum(reasoning_tokens), sum(cost),
        sum(model <> '' AND cost IS NULL)
    FROM calls GROUP BY hour, principal, project, tool, model, currency
    """,
    "ALTER TABLE calls ADD COLUMN journal_wait_ms REAL",
    "ALTER TABLE calls ADD COLUMN spans TEXT NOT NULL DEFAULT ''",
)
