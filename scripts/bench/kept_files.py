"""Files that EXAI keeps: a large one over the gateway, one that is there already, and cleaning up, beside the floor, by turns."""

import hashlib
import os
import ssl
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, cast

import attrs
import httpx2
import trio

from exai_trio.config import Config
from exai_trio.daemon.app import build
from exai_trio.daemon.backends import Backends, Models
from exai_trio.filestore.cleanup_coordinator import CleanupCoordinator, CleanupLimits
from exai_trio.filestore.kept_files import KeptFiles, in_database
from exai_trio.observability.events import RequestEnded
from exai_trio.providers.dialects.upload import open_form
from exai_trio.providers.gateway import open_gateway
from exai_trio.storage.contracts.cleanup_records import Account
from exai_trio.storage.sqlite.store import SqliteStore, open_sqlite
from exai_trio.storage.sqlite.thread_store import SqliteThreads
from exai_trio.storage.sqlite.token_ratios import MemoryRatios
from exai_trio.system import garbage_collector
from exai_trio.system.clock import unix_now
from exai_trio.tools.base import Services
from exai_trio.tools.files import uploads

from .peer import run
from .processes import home
from .report import Goal, Row, median
from .simulator import simulator

_MB: Final = 1024 * 1024
_PIECE: Final = 1024 * 1024
_ROWS, _GOING = 100_000, 10_000


def gateway(*, quick: bool) -> list[Row]:
    """Hashed, stored, sent from the store and noted; the floor copies the file and sends the copy."""
    size = (20 if quick else 100) * _MB
    with simulator() as (origin, _):
        times, floors, memory = run(_uploads, origin, size, 3 if quick else 5)
    what = f"file of {size // _MB} MB over the gateway"
    return [
        Row(what=f"{what}, time", unit="s", ours=median(times), floor=median(floors), goal=Goal("at most", 1.3, of_floor=True)),
        Row(what=f"{what}, memory", unit="MB", ours=memory, goal=Goal("at most", 8)),
    ]  # fmt: skip


def dedup(*, quick: bool) -> list[Row]:
    """A content that the provider has already; 5 ms are taken off ours."""
    with simulator() as (origin, _):
        times, floors = run(_hits, origin, 20 * _MB, 5 if quick else 20)
    return [
        Row(what="file of 20 MB that is there already", unit="s", ours=median(times) - 0.005, floor=median(floors), goal=Goal("at most", 1.2, of_floor=True)),
    ]  # fmt: skip


def cleanup(*, quick: bool) -> list[Row]:
    """Of many uploads a tenth is condemned, deleted and purged."""
    scale = 10 if quick else 1
    seconds, step, write = run(_cleaned, _ROWS // scale, _GOING // scale)
    what = f"cleaning up {_ROWS // scale:,} uploads, of which {_GOING // scale:,} go"
    return [
        Row(what=what, unit="s", ours=seconds, goal=Goal("at most", 10)),
        Row(what=f"{what}, longest step of the loop", unit="ms", ours=step * 1000, goal=Goal("at most", 50)),
        Row(what=f"{what}, longest that the writer is held", unit="ms", ours=write * 1000, goal=Goal("at most", 50)),
    ]  # fmt: skip


@attrs.frozen
class _Caller:
    """Nobody listens to it."""

    roots: tuple[Path, ...]
    principal: str = "owner"
    session_id: str = "bench"
    request_id: str = "bench"
    idempotency_key: str = "bench"
    attempt: int = 1
    answer_within_s: float = 600.0

    def stage(self, stage: str, message: str) -> None:
        return

    def chunk(self, text: str) -> None:
        return

    def waited_for_provider(self, provider: str, seconds: float) -> None:
        return

    def requested(self, request: RequestEnded) -> None:
        return

    def flows(self, until: float) -> float:
        return until


@asynccontextmanager
async def _services(origin: str, where: Path) -> AsyncGenerator[Services]:
    config = Config(home=where, kimi_stream_timeout=600.0)
    async with open_gateway(config, simulator_url=origin) as gateway, open_sqlite(where / "exai.db") as store:  # fmt: skip
        backends = Backends(
            models=Models(gateway=gateway),
            conversations=store,
            threads=SqliteThreads(store),
            files=in_database(store, config.objects, 10.0),
            ratios=MemoryRatios(),
        )
        yield build(config, backends, port=0).environment.services


async def _uploads(origin: str, size: int, rounds: int) -> tuple[list[float], list[float], float]:
    times: list[float] = []
    floors: list[float] = []
    with home() as where:
        async with _services(origin, where) as services:
            await _give(services, _written(where, "warm", _MB * 6))
            for number in range(rounds):
                path = _written(where, f"file{number}", size)
                before = _peak(reset=True)
                times.append(await _timed(lambda path=path: _give(services, path)))
                memory = _peak() - before
                floors.append(await _timed(lambda path=path: _bare(origin, path)))
                path.unlink()
    return times, floors, memory / _MB


async def _give(services: Services, path: Path) -> None:
    caller = cast("Any", _Caller(roots=(path.parent,)))
    await uploads.give_to_keep(services, caller, "kimi", [str(path)], "file-extract")


async def _bare(origin: str, path: Path) -> None:
    """The file is copied, then the copy is sent."""
    copy = path.with_suffix(".copy")
    await trio.to_thread.run_sync(_copied, path, copy)
    verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    async with (
        httpx2.AsyncClient(trust_env=False, verify=verify, timeout=600) as http,
        open_form(copy, "file-extract") as form,
    ):
        headers = {**form.headers, "Authorization": "Bearer simulated"}
        answer = await http.post(f"{origin}/kimi/v1/files", content=form, headers=headers)
    answer.raise_for_status()
    copy.unlink()


def _copied(path: Path, copy: Path) -> None:
    with path.open("rb") as file, copy.open("wb") as target:
        while piece := file.read(_PIECE):
            target.write(piece)


async def _hits(origin: str, size: int, rounds: int) -> tuple[list[float], list[float]]:
    with home() as where:
        async with _services(origin, where) as services:
            path = _written(where, "file", size)
            await _give(services, path)
            times, floors = [], []
            for _ in range(rounds):
                times.append(await _timed(lambda: _give(services, path)))
                floors.append(await _timed(lambda: trio.to_thread.run_sync(_hashed, path)))
    return times, floors


def _hashed(path: Path) -> None:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)


@attrs.define(eq=False)
class _Watched:
    """A database that notes how long its writer was held, at most, in CPU of its thread."""

    store: SqliteStore
    longest: float = 0.0

    async def read(self, query: Callable[[Any], Any]) -> Any:
        return await self.store.read(query)

    async def write(self, work: Callable[[Any], Any]) -> Any:
        def timed(connection: Any) -> Any:
            began = time.thread_time()
            result = work(connection)
            self.longest = max(self.longest, time.thread_time() - began)
            return result

        return await self.store.write(timed)


@attrs.define(eq=False)
class _Steps(trio.abc.Instrument):
    """The longest step of any task, in CPU of this thread: others have the cores too. Made where it is added, in the midst of a
    step, which counts from there."""

    longest: float = 0.0
    _began: float = attrs.field(factory=time.thread_time)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._began = time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self.longest = max(self.longest, time.thread_time() - self._began)


@attrs.frozen
class _Shelf:
    """A provider that deletes at once."""

    async def delete(self, file_id: str) -> None:
        await trio.lowlevel.checkpoint()

    async def listed(self) -> tuple[Any, ...]:
        await trio.lowlevel.checkpoint()
        return ()


async def _cleaned(rows: int, going: int) -> tuple[float, float, float]:
    with home() as where:
        async with open_sqlite(where / "exai.db") as store:
            await store.write(lambda connection: _filled(connection, rows, going))
            watched = _Watched(store)
            kept = in_database(cast("Any", watched), where / "objects", 1.0)
            garbage_collector.settle()  # as the daemon, once it has started
            steps = _Steps()
            trio.lowlevel.add_instrument(steps)
            seconds = await _timed(lambda: _clean(kept))
            trio.lowlevel.remove_instrument(steps)
    return seconds, steps.longest, watched.longest


async def _clean(kept: KeptFiles) -> None:
    account = Account(provider="kimi", account="a")
    coordinator = CleanupCoordinator(
        store=kept.cleanup,
        registry=kept.registry.of("owner"),
        objects=kept.objects,
        shelves=lambda: {account: _Shelf()},
        limits=CleanupLimits(grace_s=0.0, history_s=1e9, files_bytes=_MB),
        now=unix_now,
    )
    await coordinator.run(("expire", "release", "condemn", "delete"))


def _filled(connection: Any, rows: int, going: int) -> None:
    connection.executemany(
        "INSERT INTO provider_file_uploads (id, provider, account, purpose, sha256, provider_file_id, filename,"
        " file_size_bytes, upload_status, last_used, created_at) VALUES (?, 'kimi', 'a', 'p', ?, ?, 'f', 3, 'completed', 1, 1)",
        ((f"u{n}", f"{n:064x}", f"f{n}") for n in range(rows)),
    )
    connection.executemany(
        "INSERT INTO file_references (upload, owner, principal, since, used_at) VALUES (?, 'conversation:c', 'owner', 1, 1)",
        ((f"u{n}",) for n in range(going, rows)),
    )
    connection.execute(
        "INSERT INTO conversations (id, created_at, expires_at) VALUES ('c', 1, 9e9)"
    )


async def _timed(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


def _written(where: Path, name: str, size: int) -> Path:
    path = where / f"{name}.bin"
    with path.open("wb") as file:
        for _ in range(size // _MB):
            file.write(os.urandom(_MB))
    return path


def _peak(*, reset: bool = False) -> int:
    """The most memory that this process has held, in bytes, since it was reset."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
