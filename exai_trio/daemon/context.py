"""What nearly every part of one daemon uses.

What one part alone needs is handed to that part by `app`.
"""

from collections.abc import Callable
from typing import Any, Protocol

import attrs
import trio

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.observability.event_hub import EventHub
from exai_trio.storage.journal import Journal
from exai_trio.system.clock_trust import ClockTrust

_RETRY_AFTER_S = 1.0


@structs.define(eq=False)
class Clock:
    """The time of day: `now` tells it in unix seconds, `trust` whether that can be right."""

    now: Callable[[], float]
    trust: ClockTrust

    def is_trusted(self) -> bool:
        """Whether what is old by `now` may be deleted."""
        return self.trust.trusts(self.now(), trio.current_time())


@structs.define(eq=False)
class Shutdown:
    """How far this daemon is on its way out.

    `stop` is set once it is to end; from `draining` on no new call is taken; `successor` is the way to the daemon that has taken its
    place, if one has; `member` is there where others may take its calls.
    """

    stop: trio.Event = attrs.field(factory=trio.Event)
    draining: bool = False
    successor: trio.SocketStream | None = None
    member: "Member | None" = None

    def __repr__(self) -> str:
        state = "replaced" if self.replaced else "draining" if self.draining else "serving"
        return f"<Shutdown {state}{' told to stop' if self.stop.is_set() else ''}>"

    @property
    def replaced(self) -> bool:
        return self.successor is not None

    @property
    def may_serve(self) -> bool:
        """Whether calls may be taken, as far as others are concerned."""
        return self.member is None or self.member.may_serve

    @property
    def retry_after_s(self) -> float:
        """When a client that is sent away may come back: at once, if the next daemon is there already."""
        return 0.0 if self.replaced else _RETRY_AFTER_S


class Member(Protocol):
    """This daemon among those that share its store."""

    @property
    def may_serve(self) -> bool:
        """Whether it has a lease."""
        ...

    def told(self) -> list[dict[str, Any]]:
        """All of them: names, leases, and how many calls and sessions each has."""
        ...


@structs.frozen(kw_only=True, eq=False)
class DaemonContext:
    """`journal` keeps calls over restarts; without one they are accepted and nothing is promised. What happens is published to `events`."""

    config: Config
    clock: Clock
    journal: Journal | None = None
    events: EventHub = attrs.field(factory=EventHub)
    shutdown: Shutdown = attrs.field(factory=Shutdown)
