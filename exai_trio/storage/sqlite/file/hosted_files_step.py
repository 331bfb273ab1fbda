"""The step to files that are shared: which uploads the hosted registry knows, and which contents are to be sent there. Pure: text only."""

HOSTED_FILES_STEP: tuple[str, ...] = (
    "ALTER TABLE provider_file_uploads ADD COLUMN is_hosted INTEGER NOT NULL DEFAULT 0",
    """
    CREATE TABLE unsent_objects (
        number INTEGER PRIMARY KEY,
        bucket TEXT NOT NULL,
        name TEXT NOT NULL,
        size INTEGER NOT NULL,
        due REAL NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0,
        fault TEXT NOT NULL DEFAULT '',
        UNIQUE (bucket, name)
    ) STRICT
    """,
)
