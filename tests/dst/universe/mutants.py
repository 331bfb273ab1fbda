"""Bugs to be planted: each is a promise broken in one place, for the length of a block."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, suppress

import attrs
import trio

from exai_trio.daemon.calls import detached_calls, execution, session_calls
from exai_trio.daemon.connections.connection import Connection
from exai_trio.daemon.sessions.session_registry import Sessions
from exai_trio.errors import StorageError
from exai_trio.mcp.calls.open_calls import OpenCalls
from exai_trio.storage.append_log.journal import LoggedJournal
from exai_trio.storage.memory.journal import MemoryJournal
from exai_trio.wire.session_rules import SessionRules


@contextmanager
def _instead(owner: type, name: str, made: Callable) -> Generator[None]:
    """`owner.name` is what `made` makes of it."""
    original = getattr(owner, name)
    setattr(owner, name, made(original))
    try:
        yield
    finally:
        setattr(owner, name, original)


def ack_before_the_journal() -> AbstractContextManager[None]:
    """The acceptance is let go before the call is on disk."""

    def made(_original):
        async def record(self, call, journal, seq):
            held = self.sender._held[call.wire_id]
            self.sender._put(self.sender._queue.free(held))
            with suppress(StorageError):
                await journal.accept(call, seq=seq, resumable=True)

        return record

    return _instead(session_calls.SessionCalls, "_record", made)


def lost_wake_up() -> AbstractContextManager[None]:
    """The daemon's writer forgets, once it has written, that there was more to write meanwhile."""

    def made(original):
        async def write(self):
            socket = _Forgetful(self.socket, self.outbox)
            await original(attrs.evolve(self, socket=socket))

        return write

    return _instead(Connection, "_write", made)


class _Forgetful:
    """A connection after whose sends nobody knows of what was put meanwhile."""

    def __init__(self, socket, outbox):
        self._socket, self._outbox = socket, outbox

    def __getattr__(self, name):
        return getattr(self._socket, name)

    async def send(self, *frames):
        await self._socket.send(*frames)
        if self._outbox._frames and self._outbox.farewell is None:
            await self._outbox._filled.wait()


def permit_released_twice() -> AbstractContextManager[None]:
    """A call that ends gives back one permit more than it took."""

    def made(original):
        async def leave(self, *raised):
            await original(self, *raised)
            self.call.environment.permits.total_tokens += 1

        return leave

    return _instead(execution._Permit, "__aexit__", made)


def replay_without_dedup() -> AbstractContextManager[None]:
    """A request that is sent again is taken for a new one."""

    def made(original):
        def submit(self, call, objection=None):
            if self.is_running(call.request_id):
                self._known.pop(call.request_id)
                self.running -= 1
            return original(self, call, objection)

        return submit

    return _instead(SessionRules, "submit", made)


def reader_that_awaits_a_call() -> AbstractContextManager[None]:
    """The connection reads nothing while a call that it has taken runs."""

    def made(original):
        async def receive(self, frame):
            await original(self, frame)
            while self.session.calls.table:  # noqa: ASYNC110 - a bug anyway
                await trio.sleep(0.1)

        return receive

    return _instead(Connection, "_receive", made)


def handle_without_the_journal() -> AbstractContextManager[None]:
    """A call is handed over in memory only."""

    def made(original):
        async def keep(self, home, _write):
            await original(self, home, trio.lowlevel.checkpoint)

        return keep

    return _instead(detached_calls.DetachedCall, "keep", made)


def task_left_behind() -> AbstractContextManager[None]:
    """A connection starts a task that outlives it."""

    def made(original):
        async def join(self, hello, principal, outbox):
            self.nursery.start_soon(trio.sleep_forever)
            return await original(self, hello, principal, outbox)

        return join

    return _instead(Sessions, "join", made)


def request_left_behind() -> AbstractContextManager[None]:
    """The shim never forgets a request that its editor has withdrawn."""

    def made(original):
        def leave(self, id_):
            call = original(self, id_)
            if call is not None:
                self._by_id[id_] = call
            return call

        return leave

    return _instead(OpenCalls, "leave", made)


def segment_removed_before_it_is_folded() -> AbstractContextManager[None]:
    """What stood in it is nowhere."""

    def made(_original):
        async def fold(self, last, _over, _events):
            self._folded = max(last, self._folded)

        return fold

    return _instead(MemoryJournal, "fold", made)


def record_that_is_not_written() -> AbstractContextManager[None]:
    """The log takes what it has noted for written."""

    def made(_original):
        async def note(self, event):
            index = self._index or await self.load()
            index.note(event, (self.appender.segments.newest, 0))

        return note

    return _instead(LoggedJournal, "note", made)


# Each with what the oracle then complains of.
MUTANTS = {
    handle_without_the_journal: "before that was on disk",
    ack_before_the_journal: "accepted before it was on disk",
    lost_wake_up: "is never answered",
    permit_released_twice: "permits are",
    replay_without_dedup: "ran twice in one daemon",
    reader_that_awaits_a_call: "a ping was not answered",
    task_left_behind: "tasks at the end",
    request_left_behind: "left at the end",
    segment_removed_before_it_is_folded: "was accepted before it was on disk",
    record_that_is_not_written: "was accepted before it was on disk",
}
