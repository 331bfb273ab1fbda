"""docs/how-to/from-the-older-system.md sends nobody to a setting that does not exist."""

import re
from pathlib import Path

from exai_trio.settings.table import SETTINGS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "how-to" / "from-the-older-system.md").read_text(encoding="utf-8")
VARIABLE = re.compile(r"`([A-Z][A-Z0-9_]{6,})(?:=\w+)?`")
OURS = {name for setting in SETTINGS for name in (setting.name, *setting.aliases)}


def test_what_is_said_to_be_now_exists():
    section = PAGE.partition("## Settings")[2].partition("## Tools")[0]
    unchanged, _, table = section.partition("| older | now |")
    now = [line.split(" | ")[-1] for line in table.splitlines()]
    named = VARIABLE.findall(unchanged + "\n".join(now))
    assert len(named) > 30
    assert [] == [name for name in named if name not in OURS]


def test_what_is_said_to_be_gone_is_gone():
    table = (
        PAGE.partition("## Settings")[2].partition("| older | now |")[2].partition("## Tools")[0]
    )
    for line in table.splitlines():
        older, _, now = line.partition(" | ")
        kept = "the same names" in now or "read as" in now or "=" in older or "empty" in older
        assert kept or [] == [name for name in VARIABLE.findall(older) if name in OURS]
