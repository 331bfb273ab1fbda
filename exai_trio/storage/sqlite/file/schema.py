"""The tables of the SQLite store, as a list of steps from an empty file to today. Pure: text only.

A step is never edited once released; a change is a new step at the end. The database's `user_version` counts the steps taken.
"""

from exai_trio.storage.sqlite.file.access_step import ACCESS_STEP
from exai_trio.storage.sqlite.file.bus_step import BUS_STEP
from exai_trio.storage.sqlite.file.history_step import HISTORY_STEP
from exai_trio.storage.sqlite.file.hosted_files_step import HOSTED_FILES_STEP
from exai_trio.storage.sqlite.file.incidents_step import INCIDENTS_STEP
from exai_trio.storage.sqlite.file.last_use_step import LAST_USE_STEP
from exai_trio.storage.sqlite.file.pages_step import PAGES_STEP
from exai_trio.storage.sqlite.file.uploads_step import DELETIONS_STEP, UPLOADS_STEP

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
    (  # what is kept has an owner, is marked before it is deleted, and is kept once
        "ALTER TABLE conversations ADD COLUMN principal TEXT NOT NULL DEFAULT 'owner'",
        "ALTER TABLE conversations ADD COLUMN marked_at REAL",
        "CREATE INDEX conversations_by_principal ON conversations (principal)",
        "ALTER TABLE turns ADD COLUMN key TEXT NOT NULL DEFAULT ''",
        "CREATE UNIQUE INDEX turns_by_key ON turns (key) WHERE key <> ''",
        "ALTER TABLE steps ADD COLUMN key TEXT NOT NULL DEFAULT ''",
        "CREATE UNIQUE INDEX steps_by_key ON steps (key) WHERE key <> ''",
        """
        CREATE TABLE owned_names (
            conversation TEXT PRIMARY KEY REFERENCES conversations (id) ON DELETE CASCADE,
            name TEXT NOT NULL,
            principal TEXT NOT NULL DEFAULT 'owner',
            UNIQUE (principal, name)
        ) STRICT
        """,
        "INSERT INTO owned_names (conversation, name) SELECT conversation, name FROM thread_names",
        "DROP TABLE thread_names",
        "ALTER TABLE owned_names RENAME TO thread_names",
        """
        CREATE TABLE owned_uploads (
            provider TEXT NOT NULL,
            account TEXT NOT NULL,
            file_id TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            purpose TEXT NOT NULL,
            filename TEXT NOT NULL,
            size INTEGER NOT NULL,
            uploaded_at REAL NOT NULL,
            used_at REAL NOT NULL,
            principal TEXT NOT NULL DEFAULT 'owner',
            PRIMARY KEY (provider, account, file_id, principal)
        ) STRICT
        """,
        (
            "INSERT INTO owned_uploads"
            " (provider, account, file_id, sha256, purpose, filename, size, uploaded_at, used_at)"
            " SELECT provider, account, file_id, sha256, purpose, filename, size, uploaded_at, used_at"
            " FROM uploads ORDER BY rowid"
        ),
        "DROP TABLE uploads",
        "ALTER TABLE owned_uploads RENAME TO uploads",
        "CREATE INDEX uploads_by_content ON uploads (sha256)",
        """
        CREATE TABLE journal_marks (
            session TEXT NOT NULL,
            request TEXT NOT NULL,
            marked_at REAL NOT NULL,
            UNIQUE (session, request),
            FOREIGN KEY (session, request) REFERENCES journal_calls (session, request) ON DELETE CASCADE
        ) STRICT
        """,
        "CREATE TABLE clock (id INTEGER PRIMARY KEY CHECK (id = 1), trusted_at REAL NOT NULL) STRICT",
    ),
    (  # the segments of the log of calls up to this number are in the tables above
        "CREATE TABLE journal_folded (id INTEGER PRIMARY KEY CHECK (id = 1), segment INTEGER NOT NULL) STRICT",
    ),
    (  # a file that may be at its provider although no answer came
        """
        CREATE TABLE upload_intents (
            provider TEXT NOT NULL,
            account TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            purpose TEXT NOT NULL,
            filename TEXT NOT NULL,
            size INTEGER NOT NULL,
            at REAL NOT NULL,
            principal TEXT NOT NULL,
            PRIMARY KEY (provider, account, sha256, purpose, principal)
        ) STRICT
        """,
    ),
    (  # figures of each ended call, and the baselines that were measured
        """
        CREATE TABLE calls (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL,
            correlation_id TEXT NOT NULL,
            session TEXT NOT NULL,
            tool TEXT NOT NULL,
            principal TEXT NOT NULL,
            project TEXT NOT NULL,
            provider TEXT NOT NULL,
            model TEXT NOT NULL,
            code TEXT NOT NULL,
            category TEXT NOT NULL,
            attempt INTEGER NOT NULL,
            started_at REAL NOT NULL,
            hour INTEGER NOT NULL,
            duration_ms REAL NOT NULL,
            permit_wait_ms REAL NOT NULL,
            provider_wait_ms REAL NOT NULL,
            with_provider_ms REAL NOT NULL,
            first_chunk_ms REAL,
            requests INTEGER NOT NULL,
            input_tokens INTEGER,
            cached_tokens INTEGER,
            output_tokens INTEGER,
            reasoning_tokens INTEGER,
            cost REAL,
            currency TEXT NOT NULL
        ) STRICT
        """,
        "CREATE INDEX calls_by_start ON calls (started_at)",
        "CREATE INDEX calls_by_id ON calls (id)",
        """
        CREATE TABLE baselines (
            number INTEGER PRIMARY KEY,
            at REAL NOT NULL,
            revision TEXT NOT NULL,
            machine TEXT NOT NULL,
            source TEXT NOT NULL,
            data TEXT NOT NULL
        ) STRICT
        """,
    ),
    UPLOADS_STEP,
    BUS_STEP,
    (  # what a hosted store is still to hear of, and up to which numbers both sides have the same
        """
        CREATE TABLE outbox (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            kind TEXT NOT NULL,
            key TEXT NOT NULL,
            body TEXT NOT NULL,
            at REAL NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0,
            refused TEXT NOT NULL DEFAULT ''
        ) STRICT
        """,
        "CREATE INDEX outbox_by_key ON outbox (key)",
        """
        CREATE TABLE mirrored (
            conversation TEXT PRIMARY KEY REFERENCES conversations (id) ON DELETE CASCADE,
            messages INTEGER NOT NULL DEFAULT 0,
            steps INTEGER NOT NULL DEFAULT 0
        ) STRICT
        """,
    ),
    HOSTED_FILES_STEP,
    ACCESS_STEP,
    INCIDENTS_STEP,
    HISTORY_STEP,
    PAGES_STEP,
    DELETIONS_STEP,
    # ids have no order: kept in one, they were most of what a call's row costs, and a page that wants one call may wait for a scan
    ("DROP INDEX calls_by_id",),
    LAST_USE_STEP,
)
