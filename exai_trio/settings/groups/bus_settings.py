"""The settings of the message bus, which carries large results by reference. Pure."""

from exai_trio.settings import values as v
from exai_trio.settings.setting import group, setting

BUS = group(
    "Large results",
    setting(
        "MESSAGE_BUS_ENABLED",
        v.switch(),
        "results above 1 MiB go by reference, in pieces, to clients that know how",
    ),
    setting(
        "MESSAGE_BUS_TTL_HOURS",
        v.number(0.01, 8760, "hours"),
        "how long a large result is kept",
    ),
    setting(
        "MESSAGE_BUS_MAX_PAYLOAD_MB",
        v.whole(1, 1024),
        "the largest result that is kept, in MiB",
    ),
    setting(
        "MESSAGE_BUS_COMPRESSION",
        v.choice("gzip", "none"),
        "how results are stored; one that hardly shrinks is stored as it is",
    ),
    setting(
        "MESSAGE_BUS_CHECKSUM_ENABLED",
        v.switch(),
        "hash each stored piece and the whole, and send nothing that is damaged",
    ),
    setting(
        "FALLBACK_TO_WEBSOCKET",
        v.switch(),
        "send a large result in one message if it cannot be kept; false: the call fails",
    ),
)
