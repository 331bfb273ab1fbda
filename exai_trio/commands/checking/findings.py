"""What `exai doctor` has seen, and what it found there. Looking is `doctor`, judging is `checks`."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Literal

import attrs

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.settings.load import Loaded
from exai_trio.wire.messages import HealthReport, ServerFacts

State = Literal["ok", "warn", "fault"]


@structs.frozen(kw_only=True)
class Finding:
    """One thing that was looked at. `remedy` is empty when nothing is to be done."""

    state: State
    what: str
    remedy: str = ""


@structs.frozen(kw_only=True)
class Daemon:
    """What came of asking the daemon: it answered, it is absent, it said nothing for `silent_s` seconds, or `fault` says how
    it failed."""

    reached: bool
    server: ServerFacts | None = None
    report: HealthReport | None = None
    fault: Exception | None = None
    silent_s: float = 0.0
    answered_at: datetime = attrs.field(factory=lambda: datetime.now(UTC))


@structs.frozen(kw_only=True)
class Seen:
    """What the checks judge. `port_taken`: something listens on the daemon's port. `health`: status of /health, or None."""

    loaded: Loaded
    daemon: Daemon
    port_taken: bool
    health: int | None = None

    @property
    def config(self) -> Config:
        return self.loaded.config


Check = Callable[[Seen], Iterator[Finding]]
