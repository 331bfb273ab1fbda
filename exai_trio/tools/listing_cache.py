"""The tool list of each profile as it was generated into this package (`scripts/list_tools.py`).

What the shim tells before it knows of any daemon: reading it needs none of the tools' code.
"""

from pathlib import Path
from typing import Any, Final

import msgspec

from exai_trio.config import ToolProfile

FILE: Final = Path(__file__).with_name("shipped.json")


def shipped(profile: ToolProfile) -> list[dict[str, Any]]:
    """As `Registry.listing` gives it, with neither ENABLED_TOOLS nor DISABLED_TOOLS. Raises OSError if the file is missing."""
    lists = msgspec.json.decode(FILE.read_bytes(), type=dict[str, msgspec.Raw])
    return msgspec.json.decode(lists[profile], type=list[dict[str, Any]])
