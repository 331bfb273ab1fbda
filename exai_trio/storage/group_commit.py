"""One writer for many tasks: what waits while a batch is written becomes the next batch.

No SQL and no database here. The writer is one thread for the life of its owner: a write wakes it, and the end of a batch wakes
the loop once. The thread outlives its owner's cancellation just long enough to flush what was accepted.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from math import inf
from queue import Empty, SimpleQueue
from typing import Any, TypeVar, cast

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.system.change import Change

T = TypeVar("T")

# 1,024 writes of a conversation turn (a few KiB each, rarely 1 MiB) wait at most; beyond that writers wait to be accepted.
QUEUE_LENGTH = 1024
BATCH_LENGTH = 256
FLUSH_S = 5.0
LEAST_FLUSH_S = 0.5


@structs.define(eq=False)
class Write:
    """One piece of work for the writer's thread, and its outcome: `result` or `fault`, valid once `settled` is set.

    `done` is called with the result, on the loop, whether or not anybody waits for it still.
    """

    work: Callable[[Any], Any]
    done: Callable[[Any], None] | None = None
    settled: trio.Event = attrs.field(factory=trio.Event)
    result: Any = None
    fault: Exception | None = None


Commit = Callable[[Sequence[Write]], None]
"""Runs in a thread: carries out each write, all durable or refused when it returns, and fills in the outcomes."""


@structs.define(eq=False)
class GroupCommit:
    """The way in for any task; made by `open_group_commit`, which alone runs and closes it. `flush_by` is on trio's clock."""

    _waiting: SimpleQueue[Write | None] = attrs.field(factory=SimpleQueue[Write | None])
    _batch: list[Write] = attrs.field(factory=list[Write])
    _unsettled: int = 0  # given to the thread and not settled yet; at 0 it is idle
    _closed: bool = False
    flush_by: float = inf
    _room: Change = attrs.field(factory=Change)

    @property
    def is_idle(self) -> bool:
        """It is open, and the thread has nothing to do."""
        return not self._closed and not self._unsettled

    async def write(
        self, work: Callable[[Any], T], *, done: Callable[[T], None] | None = None
    ) -> T:
        """Have `work` done in the next batch, and `done` called with what it returns. Cancelling before it is accepted leaves
        nothing done; after that it is done whole.

        Raises: StorageError.
        """
        await (
            trio.lowlevel.checkpoint_if_cancelled()
        )  # a full checkpoint would be one more turn for each call
        while self._waiting.qsize() >= QUEUE_LENGTH and not self._closed:
            await self._room.wait()
        if self._closed:
            raise StorageError("The store is closed.")
        write = Write(work, done)
        self._unsettled += 1
        self._waiting.put(write)
        await write.settled.wait()
        if write.fault is not None:
            raise write.fault
        return cast("T", write.result)

    async def run(self, commit: Commit, thread_name: str) -> None:
        """Write until closed. What is not written when this ends, or is cancelled, is refused."""
        # The token: with from_thread.run_sync the thread would wait for the loop before it takes the next batch.
        token = trio.lowlevel.current_trio_token()

        def write_batches() -> None:
            while batch := self._next_batch():
                commit(batch)
                self._batch = []
                token.run_sync_soon(self._settle, batch)
                trio.from_thread.check_cancelled()

        try:
            await trio.to_thread.run_sync(
                write_batches, thread_name=thread_name, limiter=trio.CapacityLimiter(1)
            )
        finally:
            self._closed = True
            self._refuse_rest()

    def close(self) -> None:
        """Nothing is accepted from now on; what waits is written, and then `run` ends."""
        self._closed = True
        self._waiting.put(None)
        self._room.tell()

    @property
    def last_moment(self) -> float:
        """If it is closed now, what is not written by then is refused: its owner may have little time left."""
        now = trio.current_time()
        return min(now + FLUSH_S, max(now + LEAST_FLUSH_S, self.flush_by))

    def _next_batch(self) -> list[Write]:
        """In the thread: wait for a write, and take what came with it. Nothing at all once closed."""
        first = self._waiting.get()
        if first is not None:
            self._batch = [first, *self._at_hand(BATCH_LENGTH - 1)]
        return self._batch

    def _at_hand(self, most: int) -> list[Write]:
        found: list[Write] = []
        with suppress(Empty):  # audit: suppress, because an empty queue is the end of a batch
            while len(found) < most:
                write = self._waiting.get_nowait()
                if write is None:  # seen again as the first of the next batch
                    self._waiting.put(None)
                    break
                found.append(write)
        return found

    def _settle(self, batch: Sequence[Write]) -> None:
        self._unsettled -= len(batch)
        for write in batch:
            if write.done is not None and write.fault is None:
                write.done(write.result)
            write.settled.set()
        self._room.tell()

    def _refuse_rest(self) -> None:
        rest = [*self._batch, *self._at_hand(QUEUE_LENGTH)]
        for write in rest:
            write.fault = StorageError("The store was closed before this could be written.")
        self._settle(rest)


@asynccontextmanager
async def open_group_commit(
    commit: Commit, thread_name: str = "exai storage writer"
) -> AsyncGenerator[GroupCommit]:
    """Accept writes until the block is left; then flush those that wait, for at most FLUSH_S, and until `flush_by`.
    Cancelling flushes just so."""
    group = GroupCommit()
    # Shielded, so that the end of the daemon does not cut the flush; ended by the close, or by the deadline set below.
    flushing = trio.CancelScope(shield=True)

    async def write_on() -> None:
        with flushing:
            await group.run(commit, thread_name)

    async with trio.open_nursery() as writing:
        try:
            writing.start_soon(write_on)
            yield group
        finally:
            group.close()
            flushing.deadline = group.last_moment
