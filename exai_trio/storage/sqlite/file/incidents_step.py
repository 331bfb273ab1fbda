"""The tables of incidents, alerts and observations, as a step of the schema. Pure: text only."""

from typing import Final

INCIDENTS_STEP: Final = (
    """
    CREATE TABLE error_investigations (
        id TEXT PRIMARY KEY,
        error_hash TEXT NOT NULL UNIQUE,
        error_message TEXT NOT NULL,
        error_type TEXT NOT NULL,
        error_context TEXT NOT NULL,
        investigation_result TEXT,
        fix_recommendation TEXT,
        model_used TEXT NOT NULL DEFAULT '',
        investigation_duration_ms REAL,
        created_at REAL NOT NULL,
        resolved INTEGER NOT NULL DEFAULT 0,
        resolution_notes TEXT NOT NULL DEFAULT '',
        occurrence_count INTEGER NOT NULL,
        last_occurrence_at REAL NOT NULL,
        kind TEXT NOT NULL,
        severity TEXT NOT NULL,
        version TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'waiting',
        requested INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0,
        lease_until REAL,
        tokens INTEGER NOT NULL DEFAULT 0,
        cost REAL,
        resolved_at REAL,
        resolved_by TEXT NOT NULL DEFAULT '',
        resolved_in TEXT NOT NULL DEFAULT '',
        resolved_order TEXT NOT NULL DEFAULT '',
        reopened INTEGER NOT NULL DEFAULT 0
    ) STRICT
    """,
    "CREATE INDEX error_investigations_by_time ON error_investigations (resolved, last_occurrence_at)",
    # each request for an investigation, also those that failed: the budget of a day counts them
    """
    CREATE TABLE investigation_runs (
        number INTEGER PRIMARY KEY,
        incident TEXT NOT NULL,
        at REAL NOT NULL,
        tokens INTEGER NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE alerts (
        name TEXT NOT NULL,
        subject TEXT NOT NULL,
        severity TEXT NOT NULL,
        text TEXT NOT NULL,
        since REAL NOT NULL,
        PRIMARY KEY (name, subject)
    ) STRICT
    """,
    "CREATE TABLE alert_silences (name TEXT PRIMARY KEY, until REAL NOT NULL, by TEXT NOT NULL) STRICT",
    """
    CREATE TABLE observations (
        id TEXT PRIMARY KEY,
        severity TEXT NOT NULL,
        category TEXT NOT NULL,
        text TEXT NOT NULL,
        figures TEXT NOT NULL,
        at REAL NOT NULL,
        acknowledged INTEGER NOT NULL DEFAULT 0,
        acknowledged_by TEXT NOT NULL DEFAULT ''
    ) STRICT
    """,
    "CREATE TABLE audits (number INTEGER PRIMARY KEY, at REAL NOT NULL, tokens INTEGER NOT NULL) STRICT",
)
