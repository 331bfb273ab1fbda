"""The steps to uploads with claims and references: a row for each content at a provider, a row for each who refers to it. Pure: text only.

What earlier versions kept is taken over. The newest upload of a content is its row, and all who had one hold it; the older ones
are deleted at the provider once they have been unused for 30 days. An upload that was begun is a claim that is over.
"""

_COUNT = """
    UPDATE provider_file_uploads SET reference_count =
        (SELECT count(*) FROM file_references WHERE upload = {row}.upload AND ended_at IS NULL)
    WHERE id = {row}.upload;
"""

UPLOADS_STEP: tuple[str, ...] = (
    """
    CREATE TABLE provider_file_uploads (
        id TEXT PRIMARY KEY DEFAULT (lower(hex(randomblob(16)))),
        provider TEXT NOT NULL,
        account TEXT NOT NULL,
        purpose TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        provider_file_id TEXT NOT NULL DEFAULT '',
        file_id TEXT NOT NULL DEFAULT '',
        filename TEXT NOT NULL,
        file_size_bytes INTEGER NOT NULL,
        upload_method TEXT NOT NULL DEFAULT 'direct',
        upload_status TEXT NOT NULL CHECK (upload_status IN ('pending', 'completed', 'failed', 'deleted')),
        error_message TEXT NOT NULL DEFAULT '',
        claimed_by TEXT NOT NULL DEFAULT '',
        lease_until REAL NOT NULL DEFAULT 0,
        fence INTEGER NOT NULL DEFAULT 0,
        began_at REAL,
        reference_count INTEGER NOT NULL DEFAULT 0,
        last_used REAL NOT NULL,
        uploaded_at REAL NOT NULL DEFAULT 0,
        created_at REAL NOT NULL,
        CONSTRAINT uk_provider_sha256 UNIQUE (provider, account, purpose, sha256)
    ) STRICT
    """,
    "CREATE INDEX provider_file_uploads_by_file ON provider_file_uploads (provider_file_id)",
    "CREATE INDEX provider_file_uploads_by_content ON provider_file_uploads (sha256)",
    "CREATE INDEX provider_file_uploads_unused ON provider_file_uploads (last_used) WHERE reference_count = 0",
    """
    CREATE TABLE file_references (
        upload TEXT NOT NULL REFERENCES provider_file_uploads (id) ON DELETE CASCADE,
        owner TEXT NOT NULL,
        principal TEXT NOT NULL,
        since REAL NOT NULL,
        used_at REAL NOT NULL,
        ended_at REAL,
        UNIQUE (upload, owner, principal)
    ) STRICT
    """,
    "CREATE INDEX file_references_by_owner ON file_references (owner) WHERE ended_at IS NULL",
    f"CREATE TRIGGER file_references_added AFTER INSERT ON file_references BEGIN {_COUNT.format(row='NEW')} END",
    f"CREATE TRIGGER file_references_changed AFTER UPDATE OF ended_at ON file_references BEGIN {_COUNT.format(row='NEW')} END",
    f"CREATE TRIGGER file_references_gone AFTER DELETE ON file_references BEGIN {_COUNT.format(row='OLD')} END",
    """
    CREATE TABLE file_deletion_jobs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        upload TEXT NOT NULL DEFAULT '',
        provider TEXT NOT NULL,
        account TEXT NOT NULL,
        provider_file_id TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        size INTEGER NOT NULL,
        reason TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        due REAL NOT NULL,
        fence INTEGER NOT NULL DEFAULT 0,
        claimed_until REAL NOT NULL DEFAULT 0,
        error TEXT NOT NULL DEFAULT '',
        reported_at REAL,
        UNIQUE (provider, account, provider_file_id)
    ) STRICT
    """,
    "CREATE INDEX file_deletion_jobs_due ON file_deletion_jobs (due) WHERE reported_at IS NULL",
    """
    CREATE TABLE leases (
        name TEXT PRIMARY KEY,
        holder TEXT NOT NULL,
        fence INTEGER NOT NULL,
        until REAL NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE audit_log (
        id INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        stage TEXT NOT NULL,
        subject TEXT NOT NULL,
        why TEXT NOT NULL,
        bytes INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE INDEX audit_log_by_time ON audit_log (at)",
    """
    INSERT INTO provider_file_uploads (provider, account, purpose, sha256, provider_file_id, filename, file_size_bytes, upload_status,
        last_used, uploaded_at, created_at)
    SELECT provider, account, purpose, sha256, file_id, filename, size, 'completed', used_at, uploaded_at, uploaded_at
    FROM uploads WHERE true ORDER BY uploaded_at DESC, rowid DESC
    ON CONFLICT (provider, account, purpose, sha256) DO NOTHING
    """,
    """
    INSERT OR IGNORE INTO file_references (upload, owner, principal, since, used_at)
    SELECT p.id, 'held:' || u.principal, u.principal, u.uploaded_at, max(u.used_at)
    FROM uploads u JOIN provider_file_uploads p USING (provider, account, purpose, sha256)
    GROUP BY p.id, u.principal
    """,
    """
    INSERT OR IGNORE INTO file_deletion_jobs (upload, provider, account, provider_file_id, sha256, size, reason, due)
    SELECT p.id, u.provider, u.account, u.file_id, u.sha256, u.size, 'an older upload of this content', u.used_at + 2592000
    FROM uploads u JOIN provider_file_uploads p USING (provider, account, purpose, sha256)
    WHERE u.file_id NOT IN (SELECT provider_file_id FROM provider_file_uploads)
    """,
    """
    INSERT INTO provider_file_uploads (provider, account, purpose, sha256, filename, file_size_bytes, upload_status, began_at, last_used, created_at)
    SELECT provider, account, purpose, sha256, filename, size, 'pending', at, at, at FROM upload_intents WHERE true ORDER BY at
    ON CONFLICT (provider, account, purpose, sha256) DO NOTHING
    """,
    "DROP TABLE upload_intents",
    "DROP TABLE uploads",
)

DELETIONS_STEP: tuple[
    str, ...
] = (  # however many are owed, the next are found at once, and those of an upload
    "DROP INDEX file_deletion_jobs_due",
    "CREATE INDEX file_deletion_jobs_due ON file_deletion_jobs (provider, account, due) WHERE reported_at IS NULL",
    "CREATE INDEX file_deletion_jobs_by_upload ON file_deletion_jobs (upload)",
)
