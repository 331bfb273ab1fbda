"""The step to large results by reference: a row each, and the audit of what becomes of them. Pure: text only."""

BUS_STEP: tuple[str, ...] = (
    """
    CREATE TABLE message_bus (
        transaction_id TEXT PRIMARY KEY,
        principal TEXT NOT NULL,
        session_id TEXT NOT NULL,
        request_id TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('pending', 'stored', 'delivered', 'expired')),
        size_bytes INTEGER NOT NULL,
        stored_bytes INTEGER NOT NULL,
        compression TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        pieces TEXT NOT NULL,
        created_at REAL NOT NULL,
        delivered_at REAL,
        expires_at REAL NOT NULL,
        deleted_at REAL
    ) STRICT
    """,
    "CREATE INDEX message_bus_by_expiry ON message_bus (expires_at)",
    """
    CREATE TABLE IF NOT EXISTS audit_log (
        id INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        stage TEXT NOT NULL,
        subject TEXT NOT NULL,
        why TEXT NOT NULL,
        bytes INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE INDEX IF NOT EXISTS audit_log_by_time ON audit_log (at)",
)
