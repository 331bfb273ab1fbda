"""Uploads, references, deletions and cleaning up in the SQLite file."""
