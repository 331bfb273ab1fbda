"""docs/how-to/troubleshooting.md quotes messages that EXAI really says."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "how-to" / "troubleshooting.md"


def _said():
    """Every text in the package's code, one a line; what a text is filled with is left out."""
    modules = (path.read_text(encoding="utf-8") for path in (ROOT / "exai_trio").rglob("*.py"))
    nodes = (node for module in modules for node in ast.walk(ast.parse(module)))
    constants = (node.value for node in nodes if isinstance(node, ast.Constant))
    return "\n".join(value for value in constants if isinstance(value, str))


def test_each_quoted_message_is_one_of_ours():
    """… stands for what differs; each part between is in a text of the package."""
    rows = re.findall(r"^\| `([^`]+)`", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    parts = [part for row in rows for part in row.split("…") if re.search(r"[A-Za-z]{2}", part)]
    said = _said()
    assert len(rows) > 20
    assert [] == [part for part in parts if part.strip(" ") not in said]
