"""Where each call of this client stands between it and the daemon. Pure: no trio, no clock, no I/O; every method is one step.

A call is queued until the daemon has room for it, then sent, then accepted; its end takes it out. What nobody waits for any more
is cancelled, or goes on detached: it has its place at the daemon until that one has said how it ended. With a new connection
a call may have been lost on its way, or be forgotten with its session. `NEXT` has it all; an event that it does not name for a
state changes nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

import attrs

from exai_trio import structs
from exai_trio.mcp.calls.open_calls import OpenCall

State = Literal["queued", "sent", "accepted", "detached", "cancel due", "cancelling", "over"]
Event = Literal[
    "sent", "accepted", "turned away", "withdrawn", "detached", "resumed", "forgotten", "ended"
]

AT_DAEMON: Final[tuple[State, ...]] = ("sent", "accepted", "detached", "cancel due", "cancelling")
NEXT: Final[Mapping[State, Mapping[Event, State]]] = {
    "queued": {"sent": "sent", "withdrawn": "over", "ended": "over"},
    "sent": {
        "accepted": "accepted", "turned away": "queued", "withdrawn": "cancel due", "resumed": "queued", "forgotten": "queued",
        "ended": "over",
    },
    "accepted": {"withdrawn": "cancel due", "detached": "detached", "forgotten": "queued", "ended": "over"},
    "detached": {"forgotten": "over", "ended": "over"},
    "cancel due": {"sent": "cancelling", "forgotten": "over", "ended": "over"},
    "cancelling": {"resumed": "cancel due", "forgotten": "over", "ended": "over"},
}  # fmt: skip


def _empty() -> dict[State, dict[str, OpenCall]]:
    return {state: {} for state in NEXT}


@structs.define(eq=False)
class Dispatch:
    """The calls by request id, and by state in the order in which they came to it."""

    _states: dict[str, State] = attrs.field(factory=dict[str, State])
    _calls: dict[State, dict[str, OpenCall]] = attrs.field(factory=_empty)

    def __repr__(self) -> str:
        counts = " ".join(f"{state}={len(calls)}" for state, calls in self._calls.items() if calls)
        return f"<Dispatch {counts or 'empty'}>"

    def state(self, key: object) -> State:
        return self._states.get(str(key), "over")

    def add(self, call: OpenCall) -> None:
        """A new call, to be sent."""
        self._states[call.key] = "queued"
        self._calls["queued"][call.key] = call

    def note(self, key: object, event: Event) -> bool:
        """Something has happened to this call. Returns whether that changed its state."""
        name, state = str(key), self.state(key)
        after = NEXT[state].get(event) if state != "over" else None
        if after is None:
            return False
        call = self._calls[state].pop(name)
        call.accepted = after == "accepted"
        if after == "over":
            del self._states[name]
        else:
            self._states[name] = after
            self._calls[after][name] = call
        return True

    @property
    def has_queued(self) -> bool:
        return bool(self._calls["queued"])

    @property
    def runs_any(self) -> bool:
        """The daemon has calls of ours of which it has not said how they ended."""
        return any(self._calls[state] for state in AT_DAEMON)

    @property
    def is_cancelling(self) -> bool:
        return bool(self._calls["cancel due"] or self._calls["cancelling"])

    def accepted(self) -> list[OpenCall]:
        """Those that the daemon has, and that somebody waits for."""
        return list(self._calls["accepted"].values())

    def take(self, window: int) -> Iterator[OpenCall]:
        """The next calls that the daemon has room for, oldest first; from now on they count as sent."""
        room = window - sum(len(self._calls[state]) for state in AT_DAEMON)
        for key, call in list(self._calls["queued"].items())[: max(0, room)]:
            self.note(key, "sent")
            call.sent += 1
            yield call

    def cancels(self) -> list[str]:
        """The cancels that were not yet sent on this connection; from now on they are."""
        due = list(self._calls["cancel due"])
        for key in due:
            self.note(key, "sent")
        return due

    def reconnect(self, *, resumed: bool) -> list[OpenCall]:
        """A new connection, to a daemon that knows our session or not. Returns what is to be sent again, oldest first."""
        for key in list(self._states):
            self.note(key, "resumed" if resumed else "forgotten")
        queued = self._calls["queued"]
        self._calls["queued"] = {key: queued[key] for key in self._states if key in queued}
        return list(self._calls["queued"].values())
