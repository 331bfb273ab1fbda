"""One writer for many tasks: what waits while a batch is written becomes the next batch. No SQL and no database here.

The writer is a task that runs each batch in a thread of its own limiter. It outlives its owner's cancellation just long
enough to flush what was accepted.
"""

import math
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

import attrs
import trio

from exai_trio.errors import StorageError

T = TypeVar("T")

# 1,024 writes of a conversation turn (a few KiB each, rarely 1 MiB) wait at most; beyond that writers wait to be accepted.
QUEUE_LENGTH = 1024
BATCH_LENGTH = 256
FLUSH_S = 5.0


@attrs.define(eq=False)
class Write:
    """One piece of work for the writer's thread, and its outcome: `result` or `fault`, valid once `settled` is set."""

    work: Callable[[Any], Any]
    settled: trio.Event = attrs.field(factory=trio.Event)
    result: Any = None
    fault: Exception | None = None


Commit = Callable[[Sequence[Write]], None]
"""Runs in a thread: carries out each write, all durable or refused when it returns, and fills in the outcomes."""


@attrs.frozen
class GroupCommit:
    """The way in for any task."""

    _accept: trio.MemorySendChannel[Write]

    async def write(self, work: Callable[[Any], T]) -> T:
        """Have `work` done in the next batch. Cancelling before it is accepted leaves nothing done; after that it is done whole.

        Raises: StorageError.
        """
        write = Write(work)
        try:
            await self._accept.send(write)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise StorageError("The store is closed.") from None
        await write.settled.wait()
        if write.fault is not None:
            raise write.fault
        return cast("T", write.result)


@asynccontextmanager
async def open_group_commit(commit: Commit) -> AsyncGenerator[GroupCommit]:
    """Accept writes until the block is left; then flush those that wait, for at most FLUSH_S."""
    accept, waiting = trio.open_memory_channel[Write](QUEUE_LENGTH)
    # Shielded, so that the end of the daemon does not cut the flush; ended by the closed channel, or by the deadline set below.
    flushing = trio.CancelScope(shield=True)
    async with trio.open_nursery() as writing:
        try:
            writing.start_soon(_write_batches, waiting, commit, flushing)
            yield GroupCommit(accept)
        finally:
            accept.close()
            flushing.deadline = trio.current_time() + FLUSH_S


async def _write_batches(
    waiting: trio.MemoryReceiveChannel[Write], commit: Commit, flushing: trio.CancelScope
) -> None:
    limiter = trio.CapacityLimiter(1)
    batch: list[Write] = []
    try:
        with flushing:
            async for first in waiting:
                batch = [first, *_at_hand(waiting)]
                await trio.to_thread.run_sync(
                    commit, batch, thread_name="exai storage writer", limiter=limiter
                )
                _settle(batch)
    finally:
        _refuse([*batch, *_at_hand(waiting, math.inf)])
        waiting.close()


def _at_hand(
    waiting: trio.MemoryReceiveChannel[Write], most: float = BATCH_LENGTH - 1
) -> list[Write]:
    found: list[Write] = []
    while len(found) < most:
        try:
            found.append(waiting.receive_nowait())
        except (trio.WouldBlock, trio.EndOfChannel):
            break
    return found


def _settle(batch: list[Write]) -> None:
    for write in batch:
        write.settled.set()


def _refuse(rest: list[Write]) -> None:
    for write in rest:
        if not write.settled.is_set():
            write.fault = StorageError("The store was closed before this could be written.")
            write.settled.set()
