"""The file of keys while a daemon looks at it."""

import threading

import trio

from exai_trio.access.jwt_keys import add_key, read_keys
from exai_trio.config import Config
from exai_trio.daemon.connections import key_file
from exai_trio.daemon.connections.key_file import KeyFile


async def test_whoever_looks_while_another_reads_has_the_keys_too(tmp_path, monkeypatch):
    """Many come at once with tokens of a new key: none of them is judged by the keys of before."""
    begun, go_on, found = threading.Event(), threading.Event(), []

    def slowly(path, name):
        begun.set()
        go_on.wait(20)
        return read_keys(path, name)

    async def look():
        await file.look()
        found.append(file.keys.signing is not None)

    file = KeyFile.of(Config(home=tmp_path))
    add_key(file.path, 1.0)
    monkeypatch.setattr(key_file, "read_keys", slowly)
    async with trio.open_nursery() as hellos:
        hellos.start_soon(look)
        await trio.to_thread.run_sync(begun.wait, 20)
        hellos.start_soon(look)
        hellos.start_soon(look)
        await trio.testing.wait_all_tasks_blocked()
        go_on.set()

    assert [True] * 3 == found
