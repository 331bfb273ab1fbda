"""Work on the store of a home, for a command: opened, its faults unwrapped."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeVar

import trio

from exai_trio.config import Config
from exai_trio.errors import ExaiError, NotFoundError
from exai_trio.storage.sqlite.store import SqliteStore, open_sqlite

T = TypeVar("T")
Opened = TypeVar("Opened")


async def in_home(config: Config, work: Callable[[SqliteStore], Awaitable[T]]) -> T:
    """What `work` returns. Raises ExaiError; NotFoundError where no daemon has ever kept anything. Cancelling closes the store."""
    path = config.state / "exai.db"
    if not await trio.Path(path).exists():
        raise NotFoundError(f"nothing is kept in {path}: no daemon has served this home")
    return await in_store(path, work)


async def kept_in(
    config: Config, read: Callable[[SqliteStore], Awaitable[Sequence[T]]]
) -> tuple[T, ...]:
    """What `read` returns; nothing where no daemon has ever kept anything. Raises ExaiError. Cancelling closes the store."""
    path = config.state / "exai.db"
    return tuple(await in_store(path, read)) if await trio.Path(path).exists() else ()


async def in_store(path: Path, work: Callable[[SqliteStore], Awaitable[T]]) -> T:
    """What `work` returns; the file is made if it is not there. Raises ExaiError. Cancelling closes the store."""
    return await within(open_sqlite(path), work)


async def within(
    opening: AbstractAsyncContextManager[Opened], work: Callable[[Opened], Awaitable[T]]
) -> T:
    """What `work` returns of what is opened for it. Raises ExaiError, which a nursery of a store would wrap. Cancelling closes it."""
    fault: ExaiError | None = None
    done: list[T] = []
    async with opening as opened:
        try:
            done.append(await work(opened))
        except ExaiError as raised:
            fault = raised
    if fault is not None:
        raise fault
    return done[0]
