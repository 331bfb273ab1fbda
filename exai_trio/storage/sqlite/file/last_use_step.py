"""The tables' step in which a conversation has the time of its newest turn or step, whoever adds that: it is not looked up behind long texts."""

from typing import Final

LAST_USE_STEP: Final[tuple[str, ...]] = (
    "ALTER TABLE conversations ADD COLUMN last_at REAL NOT NULL DEFAULT 0",
    """
    UPDATE conversations SET last_at = max(
        coalesce((SELECT at FROM turns t WHERE t.conversation = id ORDER BY number DESC LIMIT 1), 0),
        coalesce((SELECT at FROM steps s WHERE s.conversation = id ORDER BY number DESC LIMIT 1), 0)
    )
    """,
    """
    CREATE TRIGGER turn_is_last_use AFTER INSERT ON turns BEGIN
        UPDATE conversations SET last_at = new.at WHERE id = new.conversation AND last_at < new.at;
    END
    """,
    """
    CREATE TRIGGER step_is_last_use AFTER INSERT ON steps BEGIN
        UPDATE conversations SET last_at = new.at WHERE id = new.conversation AND last_at < new.at;
    END
    """,
)
