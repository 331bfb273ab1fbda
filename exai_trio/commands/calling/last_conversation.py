"""Which conversation `exai ask -c` goes on with: the one of the last `exai ask` of this home."""

from pathlib import Path
from typing import Final

from exai_trio.commands.calling.key_value import WordError
from exai_trio.system.private_files import replace_private

_FILE: Final = "last_conversation"
_LONGEST: Final = 200  # characters of an id


def keep(state: Path, continuation_id: str) -> None:
    """A home that cannot be written costs `-c`, not the answer."""
    try:
        replace_private(state / _FILE, f"{continuation_id}\n".encode())
    except OSError:
        # audit: empty-handler, because a home that cannot be written costs `-c`, not the answer
        return


def last(state: Path) -> str:
    """Raises WordError if there is none."""
    try:
        found = (state / _FILE).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError):
        found = ""
    if not 0 < len(found) <= _LONGEST:
        raise WordError(
            "nothing was asked yet that could go on; leave -c out", details={"typed": "-c"}
        )
    return found
