"""kill -9 at each step of a write to the bus."""

import signal
import subprocess
import sys

import pytest
import trio

from exai_trio.bus.message_bus import MessageBus
from exai_trio.bus.payload_files import stored_names
from exai_trio.commands.storage.check_home import Home, found_in
from exai_trio.storage.sqlite.payload_rows import SqlitePayloads
from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.system.clock import unix_now

pytestmark = pytest.mark.real

PROGRAM = """
import os, pathlib, signal, sys
from exai_trio.bus import message_bus, payload_files
from exai_trio.storage.sqlite.payload_rows import SqlitePayloads
from exai_trio.storage.sqlite.store import open_sqlite
import trio, time

home, step = pathlib.Path(sys.argv[1]), sys.argv[2]

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def dying_before(owner, name, times=1):
    real, calls = getattr(owner, name), []
    def wrapped(*given, **named):
        calls.append(name)
        if len(calls) == times:
            die()
        return real(*given, **named)
    setattr(owner, name, wrapped)

match step:
    case "row": dying_before(SqlitePayloads, "begin")
    case "file": dying_before(payload_files, "write")
    case "first piece": dying_before(payload_files, "write_all")
    case "third piece": dying_before(payload_files, "write_all", 3)
    case "name": dying_before(pathlib.Path, "rename")
    case "stored": dying_before(SqlitePayloads, "finish")
    case "end": pass

async def main():
    async with open_sqlite(home / "state" / "exai.db") as store:
        bus = message_bus.MessageBus(SqlitePayloads(store), home / "bus", time.time)
        text = "a line of text\\n" * 100_000
        await bus.put(text, len(text), principal="owner", session="s", request="r")
        die()

trio.run(main)
"""
STEPS = ("row", "file", "first piece", "third piece", "name", "stored", "end")


@pytest.mark.parametrize("step", STEPS)
async def test_a_kill_leaves_nothing_that_is_wrong(tmp_path, step):
    """Nobody can ask for half of it; after the next start nothing of it is left, unless it is whole."""
    code = await trio.to_thread.run_sync(_killed, tmp_path, step)
    assert -signal.SIGKILL == code
    assert [] == found_in(Home(tmp_path, full=True))
    async with open_sqlite(tmp_path / "state" / "exai.db") as store:
        bus = MessageBus(SqlitePayloads(store), tmp_path / "bus", unix_now)
        await bus.upkeep(unix_now())
        kept = [row for row in await bus.rows.all() if row.status != "expired"]
        texts = [await bus.text(row) for row in kept]

    assert (["a line of text\n" * 100_000] if step == "end" else []) == texts
    assert len(kept) == len(stored_names(tmp_path / "bus"))
    assert [] == list(tmp_path.glob("bus/*/*.new"))
    assert [] == found_in(Home(tmp_path, full=True))


def _killed(home, step):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(home), step], check=False, timeout=60
    ).returncode
