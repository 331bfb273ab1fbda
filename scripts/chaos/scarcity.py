"""Scenarios in which the machine has no more: no room on the disk, no descriptors; and a wall clock that jumps."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import trio

from .children import descriptors
from .trial import Trial
from .world import open_world

_DISK = "24m"


def no_mounts() -> str:
    """Why no small disk can be mounted here; "" if one can."""
    try:
        with _small_disk():
            return ""
    except subprocess.CalledProcessError as fault:
        return f"no tmpfs can be mounted: {fault.stderr.decode().strip()}"
    except OSError as fault:
        return f"no tmpfs can be mounted: {fault}"


@contextmanager
def _small_disk() -> Generator[Path]:
    path = Path(tempfile.mkdtemp(prefix="exai-disk-"))
    try:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(path)]
        subprocess.run(mount, check=True, capture_output=True)
        try:
            yield path
        finally:
            subprocess.run(["umount", "-l", str(path)], check=False, capture_output=True)
    finally:
        shutil.rmtree(path, ignore_errors=True)


async def disk_full(trial: Trial) -> None:
    """The disk under EXAI_HOME fills up: calls are answered or refused by name, and once there is room all is well again."""
    with _small_disk() as disk:
        home = disk / "home"
        home.mkdir()
        async with open_world(home) as world:
            daemon = await world.daemon()
            editor = await world.editor()
            await trial.hear(editor, [await trial.echo(editor)])
            for _ in trial.rounds():
                filling = disk / "filling"
                _fill(filling)
                try:
                    asked = await trial.ask(editor, 8)
                    await trial.hear(editor, asked)
                finally:
                    filling.unlink()
                refused = [one for one in asked if one.answer and one.answer.code]
                trial.figure("refused while full, of 8", len(refused))
                for one in refused:
                    said = one.answer.code if one.answer else ""
                    trial.hold(
                        said in {"SERVICE_UNAVAILABLE", "OVER_CAPACITY"}, f"{one.mark}: {said}"
                    )
                freed = trio.current_time()
                await _well_again(trial, editor)
                trial.figure("room to next success, s", trio.current_time() - freed)
                trial.hold(daemon.runs, f"the daemon ended: {daemon.complained()}")
                await trial.count(world, most=1)


async def _well_again(trial: Trial, editor) -> None:
    with trio.move_on_after(20):  # noqa: ASYNC912  # it returns, or it waits
        while True:
            probe = await trial.ask(editor, 1)
            await trial.hear(editor, probe)
            if probe[0].answer is not None and not probe[0].answer.code:
                return
            await trio.sleep(0.2)
    trial.hold(False, "no call succeeds though there is room")  # noqa: FBT003


def _fill(path: Path) -> None:
    block = bytes(1 << 16)
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            if file.write(block) < len(block):
                block = bytes(max(1, len(block) // 2))


async def descriptors_out(trial: Trial) -> None:
    """More connections than the daemon has descriptors for: it lives, who is connected is served, and all is well after."""
    limited = ("sh", "-c", 'ulimit -n 64; exec "$@"', "sh", sys.executable, "-P", "-m", "exai_trio")
    async with open_world() as world:
        daemon = await world.daemon(prefix=limited)
        editor = await world.editor()
        await trial.hear(editor, [await trial.echo(editor)])
        before = descriptors(daemon.pid)
        for _ in trial.rounds():
            crowd = [await trio.open_tcp_stream("127.0.0.1", world.port) for _ in range(100)]
            await trio.sleep(0.2)
            asked = [await trial.echo(editor) for _ in range(4)]
            await trial.hear(editor, asked, within=5)
            trial.must_succeed(asked)
            for stream in crowd:
                await trio.aclose_forcefully(stream)
            asked = await trial.ask(editor, 4)
            await trial.hear(editor, asked)
            trial.must_succeed(asked)
            trial.hold(daemon.runs, f"the daemon ended: {daemon.complained()}")
            await trial.count(world, most=1)
        with trio.move_on_after(10):  # noqa: ASYNC912  # it sleeps or returns
            while descriptors(daemon.pid) > before + 8:  # noqa: ASYNC110  # another process's
                await trio.sleep(0.1)
        trial.figure("descriptors more than before", descriptors(daemon.pid) - before)
        trial.hold(descriptors(daemon.pid) <= before + 8, "descriptors were lost")


_JUMPING = """
import os, runpy, sys, time
real, path = time.time, os.environ["CHAOS_CLOCK"]
def jumped():
    try:
        with open(path) as file:
            return real() + float(file.read() or 0)
    except (OSError, ValueError):
        return real()
time.time = jumped
sys.argv = ["exai", *sys.argv[1:]]
runpy.run_module("exai_trio", run_name="__main__")
"""


async def clock_jump(trial: Trial) -> None:
    """The daemon's wall clock jumps by days, both ways, while calls run. It is this process's clock that is moved."""
    trial.notes.append("time.time of the daemon's process jumps; the machine's clock is left alone")
    async with open_world() as world:
        clock = world.home / "clock"
        jumping = (sys.executable, "-c", _JUMPING)
        daemon = await world.daemon(prefix=jumping, CHAOS_CLOCK=clock)
        editor = await world.editor()
        for _ in trial.rounds():
            asked = await trial.ask(editor, 4, "delay=0.2")
            await trio.sleep(trial.random.uniform(0, 0.2))
            replacement = clock.with_suffix(".new")
            replacement.write_text(str(trial.random.uniform(-5, 5) * 86_400), encoding="utf-8")
            Path(replacement).replace(clock)  # noqa: ASYNC240  # a rename in memory
            asked += await trial.ask(editor, 2)
            await trial.hear(editor, asked)
            trial.must_succeed(asked)
            trial.hold(daemon.runs, f"the daemon ended: {daemon.complained()}")
            await trial.count(world, most=1)
