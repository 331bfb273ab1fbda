"""The ids and names of the owner's conversations, read from the file at once: for shells that complete them."""

import sqlite3
from contextlib import closing
from pathlib import Path

from exai_trio.principals import OWNER

_MOST = 100
_QUERY = """
    SELECT c.id, coalesce(n.name, '') FROM conversations c
    LEFT JOIN thread_names n ON n.conversation = c.id
    WHERE c.principal = ? AND c.expires_at > ? ORDER BY c.created_at DESC LIMIT ?
"""


def newest(file: Path, now: float) -> list[str]:
    """Names, and the ids of what has none; nothing where there is no store, or another version's. Blocking."""
    if not file.is_file():
        return []
    try:
        # audit: duration, because nobody who pressed TAB waits longer
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=0.05)) as store:
            rows = store.execute(_QUERY, (OWNER, now, _MOST)).fetchall()
    except sqlite3.Error:
        # audit: empty-handler, because TAB says nothing of a store that cannot be read
        return []
    return [str(name or each) for each, name in rows]
