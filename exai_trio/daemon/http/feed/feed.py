"""The feed: who follows it, and one tick a second in which each frame is made once for all of them."""

import logging
from typing import Final

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import OverCapacityError
from exai_trio.system.change import Change

from ..gate import Gate
from ..overview import overview_of
from ..site import Exchange, reject, told
from ..watched_daemon import WatchedDaemon
from .feed_answers import frame, session_metrics
from .follower import Follower
from .told_events import ToldEvents

log = logging.getLogger("exai.http")

PATH: Final = "/ws"
MOST_FOLLOWERS: Final = 32  # of the site's connections: health and scrapers keep the rest
_TICK_S: Final = 1.0
_HEALTH_TICKS: Final = 5
_UNREAD_S: Final = 10.0  # who takes nothing for so long is cut
_EVENTS: Final = 20  # of one tick
_COME_BACK_S: Final = 5.0


@structs.define(eq=False)
class Feed:
    """`run` makes it live; without followers it only waits."""

    gate: Gate
    watched: WatchedDaemon
    events: ToldEvents
    followers: set[Follower] = attrs.field(factory=set[Follower])
    _came: Change = attrs.field(factory=Change)
    _ticks: int = 0
    _seen: int = 0

    async def serve(self, exchange: Exchange) -> None:
        """One client, until it goes. Cancelling leaves its socket to the site."""
        if len(self.followers) >= MOST_FOLLOWERS:
            full = OverCapacityError("enough pages follow the daemon", retry_after_s=_COME_BACK_S)
            await reject(exchange.send, attrs.evolve(told(full), status=503))
            return
        follower = Follower(exchange, self.gate, self.watched, self.events)
        self.followers.add(follower)
        self._came.tell()
        try:
            await follower.follow()
        finally:
            self.followers.discard(follower)

    async def run(self) -> None:
        """Tick while anybody follows. Raises nothing: a fault in a tick is logged, once until one succeeds. Cancelling ends it."""
        failed = 0
        while True:
            while not self.followers:
                await self._came.wait()
                self._seen = self.events.count
            try:
                self._tick()
                failed = 0
            except Exception:
                failed += 1
                if failed == 1:
                    log.exception("a tick of the feed failed")
            await trio.sleep(_TICK_S)

    def _tick(self) -> None:
        self._ticks += 1
        self._cut_deaf()
        for topic in self._wanted():
            frames = self._frames(topic)
            for follower in self.followers if frames else ():
                follower.offer(topic, frames)
        self._seen = self.events.count

    def _wanted(self) -> frozenset[str]:
        return frozenset[str]().union(*(one.topics for one in self.followers if not one.paused))

    def _frames(self, topic: str) -> list[str]:
        now, report = self.watched.now(), self.watched.report
        match topic:
            case "overview":
                return [frame(topic, now, data=overview_of(self.watched))]
            case "event":
                return [
                    frame(topic, now, data=one) for one in self.events.since(self._seen, _EVENTS)
                ]
            case "session_metrics":
                return [frame(topic, now, data=session_metrics(self.watched))]
            case "semaphore_metrics":
                return [frame(topic, now, data=report.semaphores())]
            case _ if self._ticks % _HEALTH_TICKS == 1:
                return [frame(topic, now, data=report.websocket())]
            case _:
                return []

    def _cut_deaf(self) -> None:
        """Who reads nothing holds a task for ever, since writes are shielded; and who may not see figures any more has seen enough."""
        since = trio.current_time() - _UNREAD_S
        for follower in tuple(self.followers):
            if follower.writing_since <= since:
                log.info("a page reads nothing; it is cut")
                follower.cut()
            elif follower.token and not follower.viewer.may("figures"):
                follower.cut()
