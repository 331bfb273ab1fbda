"""Everything the simulator remembers: the request log, what is open, what tests armed, caches, files.

Synchronous; no HTTP here. All of it is bounded: the log by LOGGED requests and LOGGED_BYTES, counters of attempts by
ATTEMPTS calls, armed faults by ARMED.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from typing import Any

import attrs
import trio

from exai_trio import structs

from .chat.model_answer import Vendor
from .chat.prompt_cache import PrefixCache
from .faults import Fault
from .json_fields import an_object
from .uploaded_files import Shelf

LOGGED = 1_000
LOGGED_BYTES = 32 * 1024 * 1024
ATTEMPTS = 10_000
ARMED = 100
BIG_AT_ONCE = 2  # bodies over BIG bytes that are held at one time: 2 x 110 MB
BIG = 8 * 1024 * 1024


@structs.define(kw_only=True, eq=False)
class Visit:
    """One request: an entry of the log, filled in as it goes on. Times are seconds since the simulator started."""

    number: int
    vendor: Vendor | None
    method: str
    path: str
    query: str
    headers: dict[str, str]
    at: float
    body: object = None
    body_bytes: int = 0
    attempt: int = 0
    ignored: tuple[str, ...] = ()
    status: int | None = None
    sent: int = 0
    complete: bool = False
    cut: bool = False
    disconnected: bool = False
    ended_at: float | None = None
    ended: trio.Event = attrs.field(factory=trio.Event, repr=False)

    def logged(self) -> dict[str, Any]:
        hidden = attrs.filters.exclude("ended")
        return attrs.asdict(self, filter=hidden)


@structs.define(kw_only=True)
class Armed:
    """A fault for the next `requests` requests to one service (or any), whose path ends in `path`, by one method (or any)."""

    fault: Fault
    requests: int = 1
    vendor: str = ""
    path: str = ""
    method: str = ""

    def fits(self, visit: Visit) -> bool:
        by = self.vendor in {"", visit.vendor} and self.method in {"", visit.method}
        return by and visit.path.endswith(self.path)


Now = Callable[[], int]
"""Unix seconds."""


@structs.define(kw_only=True)
class Service:
    """One of the two services: its files, its prompt cache, and how many chats it runs at once (None: any number)."""

    shelf: Shelf
    cache: PrefixCache
    limit: int | None = None


def _services(now: Now | None) -> dict[str, Service]:
    return {
        "glm": Service(shelf=Shelf("glm", now=now), cache=PrefixCache("glm")),
        "kimi": Service(shelf=Shelf("kimi", now=now), cache=PrefixCache("kimi")),
    }


@structs.define
class SimulatorState:
    """The whole state of one simulator. `now` gives the time of the files that it is given."""

    now: Now | None = None
    log: deque[Visit] = attrs.field(factory=deque[Visit])
    logged_bytes: int = 0
    forgotten: int = 0
    open: dict[int, Visit] = attrs.field(factory=dict[int, Visit])
    armed: list[Armed] = attrs.field(factory=list[Armed])
    attempts: OrderedDict[str, int] = attrs.field(factory=OrderedDict[str, int])
    services: dict[str, Service] = attrs.Factory(lambda self: _services(self.now), takes_self=True)
    served: int = 0
    crashes: int = 0
    connections: Collection[object] = ()
    big_bodies: trio.CapacityLimiter = attrs.field(
        factory=lambda: trio.CapacityLimiter(BIG_AT_ONCE)
    )

    def enter(self, visit: Visit) -> None:
        self.open[visit.number] = visit
        self.log.append(visit)
        while len(self.log) > LOGGED:
            self._forget()

    def next_number(self) -> int:
        self.served += 1
        return self.served

    def heard(self, visit: Visit, body: object, size: int) -> None:
        """The body has arrived; old entries make room for it."""
        visit.body = body
        if not self.log or visit.number < self.log[0].number:
            return
        visit.body_bytes = size
        self.logged_bytes += size
        while self.logged_bytes > LOGGED_BYTES and len(self.log) > 1:
            self._forget()

    def leave(self, visit: Visit, now: float) -> None:
        visit.ended_at = now
        self.open.pop(visit.number, None)
        visit.ended.set()

    def _forget(self) -> None:
        self.logged_bytes -= self.log.popleft().body_bytes
        self.forgotten += 1

    def forget_all(self) -> None:
        """A clean simulator_state; open requests stay open, numbers go on rising."""
        self.log.clear()
        self.logged_bytes = 0
        self.forgotten = 0
        self.armed.clear()
        self.attempts.clear()
        self.services = _services(self.now)

    def arm(self, armed: Armed) -> bool:
        """False when too many are armed already."""
        if len(self.armed) >= ARMED:
            return False
        self.armed.append(armed)
        return True

    def armed_for(self, visit: Visit) -> Fault | None:
        """The fault that was armed first and fits; it is used up by one."""
        for armed in self.armed:
            if armed.fits(visit):
                armed.requests -= 1
                if armed.requests <= 0:
                    self.armed.remove(armed)
                return armed.fault
        return None

    def attempt(self, key: str) -> int:
        """How often this call has been seen, this time included."""
        count = self.attempts.pop(key, 0) + 1
        self.attempts[key] = count
        while len(self.attempts) > ATTEMPTS:
            self.attempts.popitem(last=False)
        return count

    def open_chats(self, vendor: str) -> int:
        chats = (visit for visit in self.open.values() if visit.vendor == vendor)
        return sum(visit.path.endswith("/chat/completions") for visit in chats)

    def twin(self, visit: Visit, request_id: str) -> Visit | None:
        """An open request of the same service with the same request id; no id, no twin."""
        if not request_id:
            return None
        for other in self.open.values():
            same = other is not visit and other.vendor == visit.vendor
            if same and an_object(other.body).get("request_id") == request_id:
                return other
        return None
