"""docs/how-to/troubleshooting.md quotes messages that EXAI really says."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "how-to" / "troubleshooting.md"
GOES_ON = re.compile(r'"\n\s+f?"')


def _said():
    """The package's code, in which a text that goes on in the next line is one text."""
    modules = (path.read_text(encoding="utf-8") for path in (ROOT / "exai_trio").rglob("*.py"))
    return GOES_ON.sub("", "\n".join(modules))


def test_each_quoted_message_is_one_of_ours():
    """… stands for what differs; each part between is in a text of the package."""
    rows = re.findall(r"^\| `([^`]+)`", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    parts = [part for row in rows for part in row.split("…") if re.search(r"[A-Za-z]{2}", part)]
    said = _said()
    assert len(rows) > 20
    assert [] == [part for part in parts if part.strip(" ") not in said]
