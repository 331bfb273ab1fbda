"""One client of the feed: what it says is answered, and of what it follows it gets the newest."""

import math
from typing import Final

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import ExaiError
from exai_trio.system.change import Change

from ..gate import Gate
from ..page_viewer import Viewer
from ..site import Exchange
from ..watched_daemon import WatchedDaemon
from .feed_answers import answer_to, frame, initial_stats
from .feed_commands import OLD_TOPICS, BadCommand, FeedCommand, read_command
from .told_events import ToldEvents

_AUTH_S: Final = 10.0  # for who is elsewhere to show who it is
_MOST_BAD: Final = 100  # commands that say nothing, in one connection
_POLICY: Final = 1008  # of WebSocket
_DATA: Final = 1003


@structs.define(eq=False)
class Follower:
    """`writing_since` is trio's clock, infinite while nothing is being written. `token` is what it has shown last."""

    exchange: Exchange
    gate: Gate
    watched: WatchedDaemon
    events: ToldEvents
    topics: frozenset[str] = frozenset()  # nothing comes before it is let in
    paused: bool = False
    writing_since: float = math.inf
    token: str = attrs.field(default="", repr=False)
    _bad: int = 0
    _topical: dict[str, list[str]] = attrs.field(factory=dict[str, list[str]])
    _answers: list[str] = attrs.field(factory=list[str])
    _news: Change = attrs.field(factory=Change)
    _written: Change = attrs.field(factory=Change)

    @property
    def viewer(self) -> Viewer:
        """As its credential is worth now."""
        return self.gate.viewer(self.exchange.scope, self.token)

    def offer(self, topic: str, frames: list[str]) -> None:
        """In place of what waits of that topic: who is behind gets the newest."""
        if topic in self.topics and not self.paused:
            self._topical[topic] = frames
            self._news.tell()

    def cut(self) -> None:
        """Close its socket under whatever is written there."""
        transport: trio.SocketStream | None = self.exchange.scope["state"].get("transport")
        if transport is not None:
            transport.socket.close()

    async def follow(self) -> None:
        """Until it goes, or must. Cancelling leaves its socket to the site."""
        await self.exchange.send({"type": "websocket.accept"})
        async with trio.open_nursery() as legs:
            legs.start_soon(self._write)
            code = await self._read()
            if code:
                await self._flush()
            legs.cancel_scope.cancel(reason="the client has gone, or must")
        if code:
            await self.exchange.send({"type": "websocket.close", "code": code})

    async def _read(self) -> int:
        """The code to close it with; 0 if it has gone."""
        if not self.viewer.may("figures"):
            with trio.move_on_after(_AUTH_S):
                if not await self._let_in():
                    return 0
            if not self.viewer.may("figures"):
                return _POLICY
        self.topics = OLD_TOPICS
        self._answers.append(initial_stats(self.watched, self.events))
        self._news.tell()
        while (text := await self._heard()) is not None:
            await self._say(await self._answer(text))
            if self._bad > _MOST_BAD:
                return _DATA
        return 0

    async def _let_in(self) -> bool:
        """True once it has shown who it is; False if it has gone."""
        await self._say(
            self._frame("auth_required", message='send {"command": "auth", "token": …}')
        )
        while not self.viewer.may("figures"):
            text = await self._heard()
            if text is None:
                return False
            await self._say(await self._answer(text))
        return True

    async def _heard(self) -> str | bytes | None:
        """What it says next; None once it has gone."""
        while (event := await self.exchange.receive())["type"] != "websocket.receive":
            if event["type"] == "websocket.disconnect":
                return None
        text: str | bytes = event.get("text") or event.get("bytes") or ""
        return text

    async def _answer(self, text: str | bytes) -> str:
        try:
            return await self._obey(read_command(text))
        except BadCommand as bad:
            self._bad += 1
            return self._frame("error", message=str(bad))
        except ExaiError as fault:
            return self._frame("error", message=fault.message)

    async def _obey(self, command: FeedCommand) -> str:
        match command.name:
            case "auth":
                self.token = command.token
                ok = self.viewer.has_logged_in
                return self._frame("auth", ok=ok, may_see_figures=self.viewer.may("figures"))
            case _ if not self.viewer.may("figures"):
                raise BadCommand("show who you are first: auth")
            case "subscribe":
                self.topics = command.topics
                self._topical.clear()
                return self._frame("subscribed", topics=sorted(command.topics))
            case "pause":
                self.paused = command.paused
                return self._frame("paused", paused=command.paused)
            case _:
                return await answer_to(command, self.watched, self.events)

    def _frame(self, kind: str, **content: object) -> str:
        return frame(kind, self.watched.now(), **content)

    async def _say(self, text: str) -> None:
        """Return when it is written: the next command is not heard before."""
        self._answers.append(text)
        self._news.tell()
        await self._flush()

    async def _flush(self) -> None:
        while self._answers or self.writing_since < math.inf:
            await self._written.wait()

    async def _write(self) -> None:
        while True:  # noqa: ASYNC913 - it waits, or sends
            while not (self._answers or self._topical):
                await self._news.wait()
            frames = [*self._answers, *(one for many in self._topical.values() for one in many)]
            self.writing_since = trio.current_time()
            self._answers, self._topical = [], {}
            await self.exchange.send_texts(frames)
            self.writing_since = math.inf
            self._written.tell()
