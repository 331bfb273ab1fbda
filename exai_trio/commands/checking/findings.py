"""What `exai doctor` has seen, and what it found there.

Looking is `doctor`, judging is `checks`.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, cast

import attrs

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.settings.load import Loaded
from exai_trio.wire.messages import HealthReport, ServerFacts

State = Literal["ok", "warn", "fault"]
_EVERYWHERE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104  # where a daemon of this machine listens


@structs.frozen(kw_only=True)
class Finding:
    """One thing that was looked at. `remedy` is empty when nothing is to be done."""

    state: State
    what: str
    remedy: str = ""

    @classmethod
    def ok(cls, what: str, remedy: str = "") -> "Finding":
        return cls(state="ok", what=what, remedy=remedy)

    @classmethod
    def warn(cls, what: str, remedy: str) -> "Finding":
        return cls(state="warn", what=what, remedy=remedy)

    @classmethod
    def fault(cls, what: str, remedy: str) -> "Finding":
        return cls(state="fault", what=what, remedy=remedy)


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

    @property
    def tells_providers(self) -> bool:
        return self.report is not None and "providers" in self.report.health

    @property
    def providers(self) -> list[dict[str, Any]]:
        """What it says of those that it could ask."""
        told: object = self.report.health.get("providers") if self.report else None
        return cast("list[dict[str, Any]]", told) if isinstance(told, list) else []


@structs.frozen(kw_only=True)
class Trial:
    """What came of a question to a provider: an answer after so many seconds, or why there is none."""

    provider: str
    model: str
    seconds: float = 0.0
    fault: str | None = None
    code: str = ""


@structs.frozen(kw_only=True)
class Seen:
    """What the checks judge. `port_taken`: something listens on the daemon's port. `health`: status of /health, or None.
    `holders`: who has ports that are not our daemon's. `trials`: of --online. `hosted`: what
    Supabase answered."""

    loaded: Loaded
    daemon: Daemon
    port_taken: bool
    health: int | None = None
    holders: Mapping[int, str] = attrs.field(factory=dict[int, str])
    trials: tuple[Trial, ...] = ()
    hosted: tuple[Finding, ...] = ()

    @property
    def is_client_only(self) -> bool:
        """The daemon is another machine's: what it needs is not to be found here."""
        return not self.config.loopback_only and self.config.ws_host not in _EVERYWHERE

    @property
    def http_ports(self) -> tuple[tuple[str, int], ...]:
        config = self.config
        return (
            ("MONITORING_PORT", config.monitoring_port),
            ("HEALTH_CHECK_PORT", config.health_check_port),
            ("INCIDENTS_PORT", config.incidents_port),
        )

    @property
    def config(self) -> Config:
        return self.loaded.config


Check = Callable[[Seen], Iterator[Finding]]
