"""Kinds of universes: the settings that daemons and shims have in each, drawn by its seed."""

import random
from pathlib import Path

import attrs

from exai_trio.config import Config
from exai_trio.storage.append_log import journal

_NARROW = 64 * 1024  # bytes of a frame

USUAL = Config(
    home=Path("/nowhere"),
    ws_ping_interval=60.0,
    ws_ping_timeout=20.0,
    session_grace_s=300.0,
    progress_interval_s=20.0,
    ws_global_max_inflight=6,
    ws_session_max_inflight=4,
    reconnect_max_s=20.0,
)


@attrs.frozen(kw_only=True)
class Kind:
    """What is other than usual. `short_grace`: sessions end before their longest calls. `longest_log` is in bytes, over
    which no call is taken."""

    name: str = "usual"
    config: Config = USUAL
    longest_log: int = journal.LONGEST_LOG

    @property
    def is_durable(self) -> bool:
        return self.config.durability != "off"

    @property
    def short_grace(self) -> bool:
        return self.config.session_grace_s < USUAL.session_grace_s


KINDS = (
    Kind(),
    Kind(),
    Kind(name="short grace", config=attrs.evolve(USUAL, session_grace_s=25.0)),
    Kind(name="power cuts", config=attrs.evolve(USUAL, durability="power")),
    Kind(name="no journal", config=attrs.evolve(USUAL, durability="off")),
    Kind(
        name="narrow frames",
        config=attrs.evolve(USUAL, ws_max_bytes=_NARROW, tool_call_max_size=_NARROW // 2),
        longest_log=6_000,
    ),
)


def kind_of(seed: int) -> Kind:
    """Each in its turn, in an order that no seed knows beforehand."""
    return KINDS[
        random.Random(seed // len(KINDS)).sample(range(len(KINDS)), len(KINDS))[seed % len(KINDS)]
    ]
