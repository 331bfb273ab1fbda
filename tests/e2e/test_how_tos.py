"""The how-to pages as somebody follows them: every command of theirs that returns is run, page by page, in an empty home."""

import os
import re
import sys
from functools import partial
from pathlib import Path

import pytest
import trio

from exai_trio.simulator.local_models.local_site import serve_local
from exai_trio.simulator.local_models.server_bodies import USUAL

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "how-to"
COMMAND = re.compile(r"^ {4}(exai .+)$", re.MULTILINE)
# What asks a person, and how a page says that one need not be asked.
ALONE = {"exai init": "exai init --yes"}
TOKEN = b"a-token-that-is-long-enough\n"


def commands(page):
    """Without those that serve until they are stopped, and those about something that only its reader has."""
    typed = (line.partition("  #")[0].strip() for line in COMMAND.findall(page.read_text("utf-8")))
    return [
        ALONE.get(line, line)
        for line in typed
        if not line.startswith("exai serve") and " ID" not in line
    ]


PAGES = {page.stem: lines for page in sorted(FOLDER.glob("*.md")) if (lines := commands(page))}


def test_there_is_something_to_run():
    assert sum(map(len, PAGES.values())) >= 8


@pytest.mark.parametrize("name", PAGES)
async def test_a_page_can_be_followed(name, nursery, tmp_path, unused_tcp_port):
    """On a machine with a model server and no key; a secret comes from a pipe."""
    origin = await nursery.start(partial(serve_local, USUAL["ollama"]))
    environ = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "EXAI_WS_PORT": str(unused_tcp_port),
        "HEALTH_CHECK_PORT": "0",
        "MONITORING_PORT": "0",
        "INCIDENTS_PORT": "0",
        "OLLAMA_HOST": origin.removeprefix("http://"),
    }
    run = partial(
        trio.run_process,
        cwd=tmp_path,
        env=environ,
        check=False,
        capture_stdout=True,
        capture_stderr=True,
    )
    failed = {}
    try:
        if name in {"upgrade", "alerts-and-incidents"}:  # of something that is kept
            await run(["exai", "ask", "hello"], stdin=b"")
        for line in PAGES[name]:
            done = await run(["sh", "-c", line], stdin=TOKEN)
            if done.returncode:
                failed[line] = done.stderr.decode()
    finally:
        with trio.CancelScope(shield=True):
            await run(["exai", "stop"], stdin=b"")

    assert {} == failed
