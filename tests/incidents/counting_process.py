"""A process that counts one fault in a database, and then asks whether it is the one to explain it. Runs as a program: PATH TIMES."""

import json
import sys
from pathlib import Path

import trio

from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.storage.sqlite.watching.incident_rows import SqliteIncidents
from exai_trio.storage.sqlite.watching.investigation_rows import SqliteInvestigations
from exai_trio.storage.watching.incident_records import Occurrence

SEEN = Occurrence(
    error_hash="1-abcdef0123456789abcdef01", kind="bug", severity="high", error_type="KeyError", message="…", version="0.9.0",
    context={"trace": "ä"}, first_at=100.0, last_at=100.0, count=3,
)  # fmt: skip


def say(line):
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main(path, times):
    """It begins once it is told to, and says what it was answered."""
    async with open_sqlite(path) as store:
        say("ready")
        sys.stdin.readline()
        noted = [await SqliteIncidents(store).note([SEEN]) for _ in range(times)]
        claimed = await SqliteInvestigations(store).claim(1000.0, 30.0, unasked=True, tries=3)
    changes = [each.change for one in noted for each in one]
    say(json.dumps({"new": changes.count("new"), "claimed": claimed is not None}))


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), int(sys.argv[2]))
