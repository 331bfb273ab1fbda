"""Bugs to be planted between a call and its client: in connections, in the shim, in what a frame holds."""

from contextlib import AbstractContextManager

import attrs
import trio

from exai_trio.daemon.calls import large_outcomes
from exai_trio.daemon.connections.connection import Connection
from exai_trio.daemon.sessions import session_registry
from exai_trio.daemon.sessions.session_registry import Sessions
from exai_trio.mcp.calls.open_calls import OpenCalls
from exai_trio.shim.daemon_conversation import Conversation
from exai_trio.wire.codec import encode

from .planting import instead, together


def lost_wake_up() -> AbstractContextManager[None]:
    """The daemon's writer forgets, once it has written, that there was more to write meanwhile."""

    def made(original):
        async def write(self):
            socket = _Forgetful(self.socket, self.outbox)
            await original(attrs.evolve(self, socket=socket))

        return write

    return instead(Connection, "_write", made)


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


def reader_that_awaits_a_call() -> AbstractContextManager[None]:
    """The connection reads nothing while a call that it has taken runs."""

    def made(original):
        async def receive(self, frame):
            await original(self, frame)
            while self.session.calls.table:  # noqa: ASYNC110 - a bug anyway
                await trio.sleep(0.1)

        return receive

    return instead(Connection, "_receive", made)


def task_left_behind() -> AbstractContextManager[None]:
    """A connection starts a task that outlives it."""

    def made(original):
        async def join(self, hello, principal, outbox, *, lasting=True):
            self.nursery.start_soon(trio.sleep_forever)
            return await original(self, hello, principal, outbox, lasting=lasting)

        return join

    return instead(Sessions, "join", made)


def request_left_behind() -> AbstractContextManager[None]:
    """The shim never forgets a request that its editor has withdrawn."""

    def made(original):
        def leave(self, id_):
            call = original(self, id_)
            if call is not None:
                self._by_id[id_] = call
            return call

        return leave

    return instead(OpenCalls, "leave", made)


def frame_over_the_limit() -> AbstractContextManager[None]:
    """An answer is sent whatever its size, and what waits is never looked at again."""

    def made(_original):
        async def leave(_session, _most):
            await trio.lowlevel.checkpoint()

        return leave

    return together(
        instead(large_outcomes, "is_too_large", lambda _original: lambda _outcome, _most: False),
        instead(session_registry, "fit_frames", made),
    )


def answer_that_dawdles() -> AbstractContextManager[None]:
    """Whatever the daemon says it says two seconds later."""

    def made(original):
        async def write(self):
            await original(attrs.evolve(self, socket=_Dawdling(self.socket)))

        return write

    return instead(Connection, "_write", made)


class _Dawdling:
    """A connection whose sends take their time."""

    def __init__(self, socket):
        self._socket = socket

    def __getattr__(self, name):
        return getattr(self._socket, name)

    async def send(self, *frames):
        await trio.sleep(2)
        await self._socket.send(*frames)


def shim_forgets_what_came_while_it_sent() -> AbstractContextManager[None]:
    """Its writer takes the work as done when a send has ended."""

    def made(_original):
        async def write(self):
            while True:
                await self.relay.work.wait()
                frames = [encode(message) for message in self._due()]
                if frames:
                    await self.ws.send(*frames)
                self.relay.work = trio.Event()

        return write

    return instead(Conversation, "_write", made)
