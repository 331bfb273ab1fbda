"""What calls are made of and run with, the same for all calls of one daemon."""

from collections.abc import Callable

import trio

from exai_trio import structs
from exai_trio.access.quotas import Quotas
from exai_trio.bus.message_bus import MessageBus
from exai_trio.observability.events import CallEnded
from exai_trio.observability.redaction import KnownSecrets
from exai_trio.observability.toolcalls import CallLogs
from exai_trio.tools.base import Services
from exai_trio.tools.live_registry import LiveRegistry


@structs.frozen(kw_only=True, eq=False)
class CallEnvironment:
    """`permits` bounds how many calls run at once; what is in `keys` leaves in no text; `logs` have a line for each ended call,
    and `ended` is told of it; `bus` keeps large results, unless there is nothing to keep them in; `quotas` bound what a principal may use."""

    tools: LiveRegistry
    services: Services
    permits: trio.CapacityLimiter
    keys: KnownSecrets
    logs: CallLogs
    ended: Callable[[CallEnded], None]
    bus: MessageBus | None = None
    quotas: Quotas | None = None
