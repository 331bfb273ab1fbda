"""Scenarios of kill -9 while files are given to a provider, and while they are cleaned up."""

import json
import os
import signal
import sqlite3
import urllib.request
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import trio

from .children import Child
from .editor import Editor
from .trial import Asked, Trial
from .world import World, open_world

_MB = 1024 * 1024
_SMALL, _LARGE = 3_000, 5 * _MB + 1  # the one is sent as it is, the other is stored first
_LONGEST_S = 0.6  # from the first call to the kill
_STARTED_S, _FORKED_S = (0.3, 1.5), (0.0, 0.5)  # from the start of a cleaning up to the kill
_PATIENCE_S = 60.0
_IN_A_WORLD = 400  # cycles: each leaves two files, and a provider takes 1,000


async def upload_kill(trial: Trial) -> None:
    """kill -9 of the daemon while it gives files to a provider; the next one answers, and each file is there once and known."""
    while trial.goes_on:
        async with open_world(forked=trial.forked) as world:
            world.settings["EXAI_ALLOWED_ROOTS"] = str(_folder(world))
            daemon = await world.daemon()
            editor = await world.editor()
            await trial.hear(editor, [await trial.echo(editor)])
            for _ in trial.rounds(_IN_A_WORLD):
                daemon = await _upload_cycle(trial, world, daemon, editor)
                trial.weigh("daemon", daemon.pid)


async def _upload_cycle(trial: Trial, world: World, daemon: Child, editor: Editor) -> Child:
    names = [_written(world, trial, size) for size in (_SMALL, _LARGE)]
    asked = [await _ask(trial, editor, world, name) for name in names]
    await trio.sleep(trial.random.uniform(0, _LONGEST_S))
    daemon.signal(signal.SIGKILL)
    trial.kills += 1
    await daemon.kill()
    daemon = await world.daemon()
    await trial.hear(editor, asked, _PATIENCE_S)
    for one in asked:
        trial.hold(one.answer is None or not one.answer.code, f"{one.mark}: {one.answer}")
    held = await _held(world)
    counts = Counter(file["filename"] for file in held)
    for name in names:
        trial.hold(counts[name] == 1, f"{name} is at the provider {counts[name]} times")
        trial.hold(not counts[_second(name)], f"{name} was given twice")
    _check_registry(trial, world, held)
    return daemon


async def cleanup_kill(trial: Trial) -> None:
    """kill -9 of `exai cleanup` at any moment; the next one does the rest, and what is referred to stays."""
    while trial.goes_on:
        async with open_world(forked=trial.forked) as world:
            world.settings["EXAI_ALLOWED_ROOTS"] = str(_folder(world))
            world.settings["EXAI_CLEANUP_GRACE_HOURS"] = "0"
            await world.daemon()
            editor = await world.editor()
            for _ in trial.rounds(_IN_A_WORLD):
                await _cleanup_cycle(trial, world, editor)


async def _cleanup_cycle(trial: Trial, world: World, editor: Editor) -> None:
    sizes = (_SMALL, _SMALL, _SMALL, _LARGE)
    names = [_written(world, trial, size) for size in sizes]
    asked = [await _ask(trial, editor, world, name) for name in names]
    await trial.hear(editor, asked, _PATIENCE_S)
    kept, gone = names[:2], names[2:]
    _end_references(world, gone)
    cleaning = await world.command("cleanup", "--json")
    await trio.sleep(trial.random.uniform(*(_FORKED_S if trial.forked else _STARTED_S)))
    await cleaning.kill()
    trial.kills += 1
    _let_time_pass(world)
    code = await (await world.command("cleanup", "--json")).wait()
    trial.hold(code == 0, f"the cleaning up after the kill ends with {code}")
    held = await _held(world)
    there = {file["filename"] for file in held}
    trial.hold(set(kept) <= there, f"referred to, and gone: {set(kept) - there}")
    trial.hold(not there & set(gone), f"not deleted: {there & set(gone)}")
    _check_registry(trial, world, held)


def _folder(world: World) -> Path:
    folder = world.home / "given"
    folder.mkdir(exist_ok=True)
    return folder


def _written(world: World, trial: Trial, size: int) -> str:
    """The name of a new file with a content of its own."""
    name = f"{trial.mark()}.txt"
    content = os.urandom(32).hex().encode()
    (_folder(world) / name).write_bytes((content * (size // len(content) + 1))[:size])
    return name


def _second(name: str) -> str:
    """What the provider calls another file of that name."""
    return name.replace(".txt", "(1).txt")


async def _ask(trial: Trial, editor: Editor, world: World, name: str) -> Asked:
    at, path = trio.current_time(), str(_folder(world) / name)
    return Asked(name, await editor.call("kimi_upload_files", files=[path]), at)


async def _held(world: World) -> list[dict[str, Any]]:
    """What the provider has."""
    address = f"http://127.0.0.1:{world.provider.port}/kimi/v1/files"
    asked = urllib.request.Request(
        address, headers={"Authorization": "Bearer chaos"}
    )  # the simulator

    def ask() -> list[dict[str, Any]]:
        with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310  # the simulator
            found: list[dict[str, Any]] = json.load(answer)["data"]
            return found

    return await trio.to_thread.run_sync(ask)


def _database(world: World) -> Path:
    return world.home / "exai" / "state" / "exai.db"


def _end_references(world: World, names: Iterable[str]) -> None:
    """As if their holders had not used them for a month."""
    with closing(sqlite3.connect(_database(world), timeout=10)) as connection, connection:
        connection.executemany(
            "UPDATE file_references SET ended_at = 1 WHERE upload IN"
            " (SELECT id FROM provider_file_uploads WHERE filename = ?)",
            ((name,) for name in names),
        )


def _let_time_pass(world: World) -> None:
    """What a killed process has claimed is over."""
    with closing(sqlite3.connect(_database(world), timeout=10)) as connection, connection:
        connection.execute("UPDATE leases SET until = 0")
        connection.execute("UPDATE file_deletion_jobs SET claimed_until = 0")


def _check_registry(trial: Trial, world: World, held: Iterable[dict[str, Any]]) -> None:
    """What the provider has is known, what is known is there, counts are right, and so are the stored objects."""
    with closing(sqlite3.connect(_database(world), timeout=10)) as connection:
        rows = connection.execute(
            "SELECT provider_file_id, file_id, reference_count, (SELECT count(*) FROM file_references r"
            " WHERE r.upload = u.id AND r.ended_at IS NULL) FROM provider_file_uploads u"
        ).fetchall()
        owed = {
            row[0] for row in connection.execute("SELECT provider_file_id FROM file_deletion_jobs")
        }
    there, known = {file["id"] for file in held}, {row[0] for row in rows if row[0]}
    trial.hold(there <= known | owed, f"nobody knows {there - known - owed}")
    trial.hold(known <= there, f"ids of nothing: {known - there}")
    trial.hold(all(row[2] == row[3] for row in rows), "a count is not that of the references")
    objects = {path.name for path in (world.home / "exai" / "files" / "objects").glob("*/*") if not path.suffix}  # fmt: skip
    named = {row[1] for row in rows if row[1]}
    trial.hold(named <= objects, f"objects that are not there: {named - objects}")
