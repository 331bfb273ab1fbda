"""What must hold among many daemons, looked at as things happen. A call is known by its request id, which no other has."""

import math

import attrs
import trio

from exai_trio.daemon.calls.call_journal import key_of
from exai_trio.daemon.takeover.cluster.lease import LEASE_S
from exai_trio.wire.codec import decode_daemon

MOST_RUNS = 2
CAPACITY = 3


@attrs.define(eq=False)
class Run:
    """One execution, and on which daemon."""

    where: object
    began: float


@attrs.define(eq=False)
class Seen:
    """A call as its client and its daemons have seen it."""

    session: str
    tool: str
    accepted: bool = False
    outcomes: int = 0
    runs: list = attrs.field(factory=list)
    running: list = attrs.field(factory=list)


@attrs.define(eq=False)
class Judge:
    """`tables` are the store; `found` says that a fault of the kind that is sought was seen; `unsure_until` is when the last daemon that was out of touch has no share of permits any more."""

    tables: object
    calls: dict = attrs.field(factory=dict)
    faults: list = attrs.field(factory=list)
    tally: dict = attrs.field(factory=dict)
    asking: int = 0
    sought: str = ""
    found: trio.Event = attrs.field(factory=trio.Event)
    unsure_until: float = -math.inf

    def fail(self, what: str) -> None:
        self.faults.append(f"{trio.current_time():.1f} {what}")
        if self.sought and self.sought in what:
            self.found.set()

    def count(self, what: str) -> None:
        self.tally[what] = self.tally.get(what, 0) + 1

    def out_of_touch(self) -> None:
        self.unsure_until = max(self.unsure_until, trio.current_time() + 2 * LEASE_S)

    def begins(self, mark: str, where) -> Run:
        call, now = self.calls[mark], trio.current_time()
        if call.runs and not call.runs[-1].where.was_harmed_since(call.runs[-1].began - LEASE_S):
            self.fail(f"{mark} runs again, though its daemon lived and was in touch")
        if len(call.runs) >= (1 if call.tool == "once" else MOST_RUNS):
            self.fail(f"{mark} runs {len(call.runs) + 1} times")
        self.count("reruns" if call.runs else "runs")
        run = Run(where, now)
        call.runs.append(run)
        call.running.append(run)
        return run

    def ends(self, mark: str, run: Run) -> None:
        self.calls[mark].running.remove(run)

    def claimed(self, mark: str) -> None:
        self.count("claimed")
        call = self.calls.get(mark)
        if (
            call is not None
            and call.tool == "once"
            and any(run.where.lives for run in call.running)
        ):
            self.fail(f"{mark} may not run twice, and is claimed while it runs")

    def asks_provider(self, by: int) -> None:
        self.asking += by
        if self.asking > CAPACITY and trio.current_time() > self.unsure_until:
            self.fail(f"{self.asking} requests at once, of {CAPACITY}")

    def heard(self, mark: str, outcome, code: str) -> None:
        """Its client has heard how a call ended."""
        call = self.calls[mark]
        if not call.accepted and code == "SERVICE_UNAVAILABLE":
            self.count("refused")
            return
        call.outcomes += 1
        self.count(code)
        if call.outcomes > 1:
            self.fail(f"{mark} is answered {call.outcomes} times")
        row = self.tables.calls.get((call.session, key_of(mark)))
        kept = row.call.outcome if row is not None else None
        if call.accepted and (kept is None or decode_daemon(kept.frame).message != outcome):
            self.fail(f"{mark} is told an outcome that is not the stored one")

    def look_at_the_end(self) -> None:
        for mark, call in self.calls.items():
            if call.accepted and not call.outcomes:
                self.fail(f"{mark} is never answered")
        numbers = [
            (session, row.call.outcome.seq)
            for (session, _), row in self.tables.calls.items()
            if row.call.outcome is not None and row.call.outcome.seq > 0
        ]
        for number in {one for one in numbers if numbers.count(one) > 1}:
            self.fail(f"two outcomes of {number[0]} have the number {number[1]}")
