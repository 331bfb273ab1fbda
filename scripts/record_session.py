#!/usr/bin/env -S .venv/bin/python
"""The session in the README, docs/session.svg: real commands on a terminal, answered by the bundled simulator.

Without arguments it records and draws; with --check it records, and exit 1 says that the drawing has other words. Seconds,
tokens and ids, which differ from run to run, are not compared.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import unescape
from io import StringIO
from itertools import groupby
from pathlib import Path

import pexpect
import pyte
from chaos.children import free_port
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
DRAWING = ROOT / "docs" / "session.svg"
COLUMNS, ROWS, WAIT_S = 88, 200, 60
EXAI = (sys.executable, "-P", "-m", "exai_trio")
TYPED = (
    'exai ask "Is a lock needed here?" < cache.py',
    'git diff | exai ask -c "And now?"',
    "exai stauts",
)
# What the simulator is to say stands in what it is shown.
FILES = {
    "cache.py": """\
VALUES = {}


def remember(key, make):
    if key not in VALUES:
        VALUES[key] = make(key)
    return VALUES[key]


# [[simulate: say="**Yes**, once two threads call `remember`: both may find the key missing, and `make` runs twice.\n\n1. Hold a lock around the look *and* the assignment.\n2. Or let both make it, and keep the first:\n\n```python\nreturn VALUES.setdefault(key, make(key))\n```\n"]]
""",
    "change.diff": """\
 def remember(key, make):
-    if key not in VALUES:
-        VALUES[key] = make(key)
-    return VALUES[key]
+    return VALUES.setdefault(key, make(key))
[[simulate: say="Right. `setdefault` is one step under the interpreter's lock; `make` may still run twice, so it must be free of side effects."]]
""",
}
_CHANGING = re.compile(r"\d[\d,.]*|\b[0-9a-f]{8}\b|\s+")
_FRAME = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {terminal_width} {terminal_height}" role="img" aria-label="A session with exai in a terminal">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: {char_height}px; line-height: {line_height}px; white-space: pre; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>{lines}</defs>
<rect width="{terminal_width}" height="{terminal_height}" rx="8" fill="#191919"/>
<g transform="translate(8, 6)" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def main() -> None:
    screen = recorded()
    if "--check" in sys.argv:
        drawn = words_of(DRAWING.read_text(encoding="utf-8")) if DRAWING.exists() else ""
        sys.exit(0 if drawn == plain(screen) else "run scripts/record_session.py")
    DRAWING.write_text(picture(screen), encoding="utf-8")


def recorded() -> Text:
    """What stands on the terminal in the end."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.Stream(screen)
    with tempfile.TemporaryDirectory() as folder, daemon(Path(folder)) as environ:
        for typed in TYPED:
            stream.feed(f"\x1b[32m$\x1b[0m {typed}\r\n")
            stream.feed(said(typed, folder, environ))
            stream.feed("\r\n" if typed != TYPED[-1] else "")
    return text_of(screen)


@contextmanager
def daemon(home: Path) -> Iterator[dict[str, str]]:
    """One that simulates, in a home with these files; gives the variables with which a shell reaches it."""
    for name, text in FILES.items():
        (home / name).write_text(text, encoding="utf-8")
    programs = home / "bin"
    programs.mkdir()
    script(programs / "exai", f'exec {" ".join(EXAI)} "$@"')
    script(
        programs / "git", f"cat {home / 'change.diff'}"
    )  # `git diff`, of a change that nobody must make
    environ = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(home),
        "EXAI_HOME": str(home / "exai"),
        "EXAI_WS_PORT": str(free_port()),
        "HEALTH_CHECK_PORT": "0",
        "MONITORING_PORT": "0",
        "INCIDENTS_PORT": "0",
        "EXAI_SIMULATE": "true",
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
    }
    with subprocess.Popen(
        [*EXAI, "serve"], cwd=home, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as running:
        try:
            assert running.stdout is not None
            if b"exai serves" not in running.stdout.readline():
                sys.exit("the daemon did not start")
            yield environ
        finally:
            running.send_signal(signal.SIGTERM)


def script(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    path.chmod(0o700)


def said(typed: str, folder: str, environ: Mapping[str, str]) -> str:
    child = pexpect.spawn(
        "/bin/sh", ["-c", typed], cwd=folder, env=dict(environ), dimensions=(ROWS, COLUMNS),
        timeout=WAIT_S, encoding="utf-8",
    )  # fmt: skip
    try:
        child.expect(pexpect.EOF)
    finally:
        child.close(force=True)
    return str(child.before)


# The drawing


def text_of(screen: pyte.Screen) -> Text:
    lines = [line_of(screen.buffer[row]) for row in range(screen.cursor.y + 1)]
    while lines and not lines[-1].plain.strip():
        lines.pop()
    return Text("\n").join(lines)


def line_of(cells: Mapping[int, pyte.screens.Char]) -> Text:
    line = Text()
    for style, alike in groupby(map(cells.__getitem__, range(COLUMNS)), style_of):
        line.append("".join(cell.data for cell in alike), style)
    line.rstrip()
    return line


def style_of(cell: pyte.screens.Char) -> Style:
    named = cell.fg.replace("brown", "yellow").replace("bright", "bright_")
    colour = None if named == "default" else named
    return Style(color=colour, bold=cell.bold, italic=cell.italics)


def picture(screen: Text) -> str:
    console = Console(
        record=True, width=COLUMNS, file=StringIO(), force_terminal=True, color_system="truecolor"
    )
    console.print(screen, soft_wrap=True)
    return console.export_svg(theme=DIMMED_MONOKAI, code_format=_FRAME, unique_id="exai")


def words_of(svg: str) -> str:
    rows: dict[float, str] = {}
    for y, text in re.findall(r'<text [^>]*y="([\d.]+)"[^>]*>(.*?)</text>', svg):
        rows[float(y)] = rows.get(float(y), "") + unescape(text)
    return unchanging(" ".join(rows[y] for y in sorted(rows)))


def plain(screen: Text) -> str:
    return unchanging(screen.plain)


def unchanging(text: str) -> str:
    return _CHANGING.sub("", text)


if __name__ == "__main__":
    main()
