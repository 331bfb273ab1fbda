"""What calls are made of and run with, the same for all calls of one daemon."""

import trio

from exai_trio import structs
from exai_trio.access.quotas import Quotas
from exai_trio.bus.message_bus import MessageBus
from exai_trio.observability.line_file import LineFile
from exai_trio.observability.redaction import KnownSecrets
from exai_trio.observability.toolcalls import ToolCallLine
from exai_trio.tools.base import Services
from exai_trio.tools.registry import Registry


@structs.frozen(kw_only=True, eq=False)
class CallEnvironment:
    """`permits` bounds how many calls run at once; what is in `keys` leaves in no text; `toolcalls` has a line for each ended call;
    `bus` keeps large results, unless there is nothing to keep them in; `quotas` bound what a principal may use."""

    tools: Registry
    services: Services
    permits: trio.CapacityLimiter
    keys: KnownSecrets
    toolcalls: LineFile[ToolCallLine]
    bus: MessageBus | None = None
    quotas: Quotas | None = None
