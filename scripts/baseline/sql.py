"""`sql NAME`: the shipped queries over the calls that were kept, the same text for SQLite and PostgreSQL."""

import csv
import io
import json
import shutil
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

from .store import calls_of, database
from .wrong import Wrong

FOLDER = Path(__file__).with_name("queries")
_PSQL_S = 60


def names():
    return sorted(path.stem for path in FOLDER.glob("*.sql"))


def text_of(name):
    """Raises Wrong."""
    if name not in names():
        raise Wrong(f"sql: {name!r} is no query; allowed: {', '.join(names())}")
    return (FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def queried(asked):
    """The exit code. Raises Wrong."""
    if asked.name is None:
        print(
            "\n".join(
                f"{name}: {text_of(name).splitlines()[0].removeprefix('-- ')}" for name in names()
            )
        )
        return 0
    text, since = text_of(asked.name), time.time() - asked.days * 86_400
    if asked.database and asked.database.startswith(("postgresql://", "postgres://")):
        head, rows = in_postgres(asked.database, text, since)
    else:
        head, rows = in_sqlite(
            Path(asked.database) if asked.database else database(asked.home), text, since
        )
    print(
        json.dumps([dict(zip(head, row, strict=True)) for row in rows], indent=1)
        if asked.json
        else _table(head, rows)
    )
    return 0


def in_sqlite(path, text, since):
    """Names and rows. Raises Wrong where no calls were kept."""
    calls_of(path, since)
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as reader:
        found = reader.execute(text, {"since": since})
        return [name for name, *_ in found.description], found.fetchall()


def in_postgres(url, text, since, psql=None):
    """The same, asked by psql, whose variables are written as SQLite's parameters are. Numbers come back as numbers."""
    program = psql or shutil.which("psql")
    if program is None:
        raise Wrong(
            f"--database: {url.partition('@')[2] or url}: psql is not installed; allowed: a file, or psql on the PATH"
        )
    said = subprocess.run(
        [program, "-X", "-q", "--csv", "-v", "ON_ERROR_STOP=1", "-v", f"since={since}", url],
        input=text, capture_output=True, text=True, timeout=_PSQL_S, check=False,
    )  # fmt: skip
    if said.returncode:
        raise Wrong(f"--database: {said.stderr.strip().splitlines()[-1]}")
    head, *rows = csv.reader(io.StringIO(said.stdout))
    if not rows:
        raise Wrong(
            "--database: calls: there are none in this time; allowed: more days, or a daemon that was used"
        )
    return head, [tuple(map(_value, row)) for row in rows]


def _value(text):
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text or None


def _table(head, rows):
    cells = [tuple(head), *(tuple(map(_cell, row)) for row in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def _cell(value):
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value) or "-"
