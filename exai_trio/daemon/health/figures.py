"""What health answers say of sessions and calls: read from the meters, under the names that monitors know. Pure."""

from typing import Final

import attrs

from exai_trio import structs
from exai_trio.observability.meters.readings import Snapshot

FAMILIES: Final = (
    "sessions",
    "connections_open",
    "calls_running",
    "calls_accepted_total",
    "calls_total",
    "calls_refused_total",
    "calls_repeated_total",
    "bugs_total",
)
_CANCELLED, _TIMEOUT, _OK = "CANCELLED", "TIMEOUT", "ok"


@structs.frozen(kw_only=True)
class Figures:
    """`sessions`, `connections` and `running` are what there is now, all others are counted since the start; None is what nobody
    measures. `finished` are the calls with an answer, `failed` those with a fault other than a cancel or a time that was over."""

    sessions: int | None
    connections: int | None
    running: int | None
    accepted: int | None
    finished: int | None
    failed: int | None
    cancelled: int | None
    timed_out: int | None
    refused: int | None
    repeated: int | None
    bugs: int | None

    @classmethod
    def of(cls, said: Snapshot) -> "Figures":
        outcomes = said.by("calls_total", "outcome")
        known = {name: outcomes.pop(name, 0) for name in (_OK, _CANCELLED, _TIMEOUT)}
        figures = {
            "sessions": said.total("sessions"),
            "connections": said.total("connections_open"),
            "running": said.total("calls_running"),
            "accepted": said.total("calls_accepted_total"),
            "finished": known[_OK],
            "failed": sum(outcomes.values()),
            "cancelled": known[_CANCELLED],
            "timed_out": known[_TIMEOUT],
            "refused": said.total("calls_refused_total"),
            "repeated": said.total("calls_repeated_total"),
            "bugs": said.total("bugs_total"),
        }
        return cls(**{name: None if one is None else int(one) for name, one in figures.items()})

    def of_calls(self) -> dict[str, int | None]:
        """All but sessions and connections."""
        return {
            name: value
            for name, value in attrs.asdict(self).items()
            if name not in {"sessions", "connections"}
        }
