"""What all parts of one daemon share, built once by `app`. Little behaviour here."""

from collections.abc import Callable
from typing import TypeVarTuple

import attrs
import trio

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.observability.metrics import CallLine, CallLog
from exai_trio.observability.redaction import KnownSecrets
from exai_trio.observability.toolcalls import ToolCallLine, toolcalls_log
from exai_trio.storage.journal import Journal
from exai_trio.tools.base import Services

from .clock_trust import ClockTrust
from .connections.auth import Tokens
from .connections.local_peer import LocalPeers
from .health.counters import Figures
from .health.report import Facts
from .home_lock import Home
from .live_registry import Offered
from .sessions.memory_budget import Burden
from .takeover.sockets import Ending

Given = TypeVarTuple("Given")

_RETRY_AFTER_S = 1.0


@structs.frozen(kw_only=True, eq=False)
class Shared:
    """`permits` is the daemon's limit on calls at once; `draining` is set when no new call is taken.

    Without a `journal` calls are accepted and nothing is promised.
    `disk` is the limiter of the threads that write the daemon's files; `keys` are those that leave in no text; `clock` says
    whether `now` can be right.
    """

    config: Config
    boot_id: str
    registry: Offered
    services: Services
    tokens: Tokens
    peers: LocalPeers = attrs.field(factory=LocalPeers)
    call_log: CallLog[CallLine]
    permits: trio.CapacityLimiter
    now: Callable[[], float]
    figures: Figures
    facts: Facts
    draining: trio.Event
    clock: ClockTrust
    keys: KnownSecrets = attrs.field(factory=KnownSecrets)
    journal: Journal | None = None
    home: Home | None = None
    toolcalls: CallLog[ToolCallLine] = attrs.field(
        default=attrs.Factory(lambda self: toolcalls_log(self.config), takes_self=True)
    )
    burden: Burden = attrs.field(
        default=attrs.Factory(lambda self: Burden.of(self.config), takes_self=True)
    )
    disk: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(1))
    ending: Ending = attrs.field(factory=Ending)

    def is_clock_trusted(self) -> bool:
        """What is old by `now` may be deleted."""
        return self.clock.trusts(self.now(), trio.current_time())

    @property
    def retry_after_s(self) -> float:
        """When a client that is sent away may come back: at once, if the next daemon is there already."""
        return 0.0 if self.ending.replaced else _RETRY_AFTER_S

    async def in_thread(self, write: Callable[[*Given], object], *given: *Given) -> None:
        """Write one of the daemon's files. Who cancels waits for no disk that hangs: the thread is left to it, and the
        next one waits for that."""
        await trio.to_thread.run_sync(write, *given, abandon_on_cancel=True, limiter=self.disk)

    def flush_logs(self) -> None:
        """Blocks on the disk: call it in a thread. Raises OSError, and then keeps the lines."""
        self.call_log.flush()
        self.toolcalls.flush()
