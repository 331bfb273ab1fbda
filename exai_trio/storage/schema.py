"""The tables of the SQLite store, as a list of steps from an empty file to today. Pure: text only.

A step is never edited once released; a change is a new step at the end. The database's `user_version` counts the steps taken.
"""

APPLICATION_ID = 0x45584149  # "EXAI": tells our file from another program's

STEPS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE conversations (
            id TEXT PRIMARY KEY,
            created_at REAL NOT NULL,
            expires_at REAL NOT NULL
        ) STRICT
        """,
        "CREATE INDEX conversations_by_expiry ON conversations (expires_at)",
        """
        CREATE TABLE turns (
            conversation TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            role TEXT NOT NULL,
            text TEXT NOT NULL,
            tool TEXT NOT NULL,
            model TEXT NOT NULL,
            provider TEXT NOT NULL,
            at REAL NOT NULL,
            extra TEXT NOT NULL,
            UNIQUE (conversation, number)
        ) STRICT
        """,
    ),
    (
        """
        CREATE TABLE steps (
            conversation TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            tool TEXT NOT NULL,
            at REAL NOT NULL,
            data TEXT NOT NULL,
            UNIQUE (conversation, number)
        ) STRICT
        """,
    ),
    (
        """
        CREATE TABLE uploads (
            provider TEXT NOT NULL,
            account TEXT NOT NULL,
            file_id TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            purpose TEXT NOT NULL,
            filename TEXT NOT NULL,
            size INTEGER NOT NULL,
            uploaded_at REAL NOT NULL,
            used_at REAL NOT NULL,
            PRIMARY KEY (provider, account, file_id)
        ) STRICT
        """,
        "CREATE INDEX uploads_by_content ON uploads (sha256)",
    ),
    (
        """
        CREATE TABLE thread_names (
            conversation TEXT PRIMARY KEY REFERENCES conversations (id) ON DELETE CASCADE,
            name TEXT NOT NULL UNIQUE
        ) STRICT
        """,
    ),
    (  # the journal of calls; what is kept of a call but its outcome, and that, are written once each
        """
        CREATE TABLE journal_calls (
            session TEXT NOT NULL,
            request TEXT NOT NULL,
            principal TEXT NOT NULL,
            resumable INTEGER NOT NULL,
            seq INTEGER NOT NULL,
            roots TEXT NOT NULL,
            timeout REAL NOT NULL,
            at REAL NOT NULL,
            attempts INTEGER NOT NULL,
            frame TEXT NOT NULL,
            UNIQUE (session, request)
        ) STRICT
        """,
        """
        CREATE TABLE journal_outcomes (
            session TEXT NOT NULL,
            request TEXT NOT NULL,
            seq INTEGER NOT NULL,
            at REAL NOT NULL,
            frame TEXT NOT NULL,
            UNIQUE (session, request),
            FOREIGN KEY (session, request) REFERENCES journal_calls (session, request) ON DELETE CASCADE
        ) STRICT
        """,
        """
        CREATE TABLE journal_numbers (
            session TEXT PRIMARY KEY,
            acked INTEGER NOT NULL DEFAULT 0,
            base INTEGER NOT NULL DEFAULT 0
        ) STRICT
        """,
    ),
    (
        """
        CREATE TABLE token_ratios (
            model TEXT PRIMARY KEY,
            ratio REAL NOT NULL,
            at REAL NOT NULL
        ) STRICT
        """,
    ),
    ("ALTER TABLE journal_calls ADD COLUMN lasting INTEGER NOT NULL DEFAULT 0",),
    (  # a long frame is there, compressed, and the text is empty
        "ALTER TABLE journal_calls ADD COLUMN packed BLOB",
        "ALTER TABLE journal_outcomes ADD COLUMN packed BLOB",
    ),
)
