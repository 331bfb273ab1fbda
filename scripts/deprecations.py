"""docs/deprecations.md: the tools that are to be used no more, as their declarations say.

Without arguments it writes the page; with --check it exits 1 if that is not what it would be. Nothing is ever removed by a program.
"""

import sys
from pathlib import Path

from exai_trio.tools.registry import BUILT_IN

PAGE = Path(__file__).resolve().parent.parent / "docs" / "deprecations.md"
HEAD = """\
# Deprecations

Written by `scripts/deprecations.py` from the tools' declarations; a test holds this page to them.

A deprecated tool works as before. Its description and its answers say what to use instead, and only TOOL_PROFILE `full` lists it (or ENABLED_TOOLS, by name). `exai usage tools`
says who still needs it: a verdict needs 200 calls over 14 days. It is taken away by a change of its own, with a guide for the way over; no program does that.

"""


def main():
    if sys.argv[1:] == ["--check"]:
        current = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
        sys.exit(0 if current == page() else "run scripts/deprecations.py")
    PAGE.write_text(page(), encoding="utf-8")


def page(tools=BUILT_IN):
    gone = [tool for tool in tools if tool.deprecated]
    rows = [
        f"| `{tool.name}` | {tool.deprecated.since} | {tool.deprecated.instead} |\n"
        for tool in gone
    ]
    table = "| tool | since | instead |\n|---|---|---|\n" + "".join(rows)
    return HEAD + (table if gone else "No tool is deprecated.\n")


if __name__ == "__main__":
    main()
