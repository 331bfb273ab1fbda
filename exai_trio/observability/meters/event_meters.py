"""The sink that raises the meters: what each event adds to which figure. Pure."""

from collections.abc import Iterable
from typing import Final, cast

from exai_trio import structs
from exai_trio.observability.event_hub import Takes
from exai_trio.observability.events import (
    BugsSeen,
    CallBegun,
    CallEnded,
    CallLeft,
    CallRefused,
    CallRepeated,
    ConnectionClosed,
    ConnectionOpened,
    ConnectionRefused,
    HelloRefused,
    IncidentSeen,
    JobRan,
    RequestEnded,
    SessionEnded,
    SessionResumed,
    Swept,
)

from .instruments import Buckets, Counter, Histogram
from .meter_set import Meters

OK: Final = "ok"
UNAUTHORIZED: Final = "unauthorized"
MS: Final = 1000.0


def event_takes(meters: Meters) -> Takes:
    """What the meters do with each kind of event."""
    calls, connections = _Calls.of(meters), _Connections.of(meters)
    requests, work = _Requests.of(meters), _Work.of(meters)
    return {
        CallBegun: calls.begun,
        CallEnded: calls.ended,
        CallLeft: calls.left_open,
        CallRefused: calls.refused_one,
        CallRepeated: calls.repeated_one,
        BugsSeen: calls.bugs_seen,
        RequestEnded: requests.ended,
        ConnectionOpened: connections.opened,
        ConnectionClosed: connections.closed,
        ConnectionRefused: connections.turned_away,
        HelloRefused: connections.hello_refused,
        SessionResumed: connections.resumed,
        SessionEnded: connections.session_ended,
        JobRan: work.job_ran,
        Swept: work.swept,
        IncidentSeen: work.incident_seen,
    }


def _from_zero(counter: Counter, known: object) -> Counter:
    """With these series from the beginning: to Prometheus a series that comes with its first event has not risen."""
    for value in sorted(cast("Iterable[str]", known)) if isinstance(known, Iterable) else ():
        counter.add(value, amount=0)
    return counter


@structs.frozen(eq=False)
class _Calls:
    accepted: Counter
    outcomes: Counter
    left: Counter
    refused: Counter
    repeated: Counter
    errors: Counter
    bugs: Counter
    durations: Histogram
    permit: Buckets
    provider: Buckets
    journal: Buckets

    @classmethod
    def of(cls, meters: Meters) -> "_Calls":
        waits = meters.histogram("call_wait_seconds")
        journal = waits.buckets("journal")
        commits = meters.histogram("journal_commit_seconds")
        commits.series[()] = journal  # the same waits under another name
        return cls(
            accepted=meters.counter("calls_accepted_total"),
            outcomes=meters.counter("calls_total"),
            left=meters.counter("calls_left_total"),
            refused=meters.counter("calls_refused_total"),
            repeated=meters.counter("calls_repeated_total"),
            errors=_from_zero(meters.counter("errors_total"), meters.sets.get("category")),
            bugs=meters.counter("bugs_total"),
            durations=meters.histogram("call_duration_seconds"),
            permit=waits.buckets("permit"),
            provider=waits.buckets("provider"),
            journal=journal,
        )

    def begun(self, _event: CallBegun) -> None:
        self.accepted.add()

    def ended(self, event: CallEnded) -> None:
        self.outcomes.add(event.tool, event.code or OK)
        self.durations.observe(event.duration_ms / MS, event.tool)
        self.permit.note(event.permit_wait_ms / MS)
        if event.requests:
            self.provider.note(event.provider_wait_ms / MS)
        if event.journal_wait_ms is not None:
            self.journal.note(event.journal_wait_ms / MS)
        if event.code:
            self.errors.add(event.category)

    def left_open(self, _event: CallLeft) -> None:
        self.left.add()

    def refused_one(self, event: CallRefused) -> None:
        self.refused.add(event.code)

    def repeated_one(self, _event: CallRepeated) -> None:
        self.repeated.add()

    def bugs_seen(self, event: BugsSeen) -> None:
        self.bugs.add(amount=event.count)


@structs.frozen(eq=False)
class _Requests:
    outcomes: Counter
    durations: Histogram
    first_chunks: Histogram
    tokens: Counter
    cost: Counter

    @classmethod
    def of(cls, meters: Meters) -> "_Requests":
        return cls(
            outcomes=meters.counter("provider_requests_total"),
            durations=meters.histogram("provider_request_seconds"),
            first_chunks=meters.histogram("provider_first_chunk_seconds"),
            tokens=meters.counter("tokens_total"),
            cost=meters.counter("cost_total"),
        )

    def ended(self, event: RequestEnded) -> None:
        whose = (event.provider, event.model)
        self.outcomes.add(*whose, event.outcome)
        self.durations.observe(event.duration_s, *whose)
        if event.first_chunk_s is not None:
            self.first_chunks.observe(event.first_chunk_s, *whose)
        for kind, tokens in (
            ("input", event.input_tokens),
            ("cached", event.cached_tokens),
            ("output", event.output_tokens),
            ("reasoning", event.reasoning_tokens),
        ):
            if tokens:
                self.tokens.add(*whose, kind, amount=tokens)
        if event.cost is not None:
            self.cost.add(*whose, event.currency, amount=event.cost)


@structs.define(eq=False)
class _Connections:
    results: Counter
    auth: Counter
    resumes: Counter
    replayed: Counter
    sessions: Histogram
    open_now: int = 0

    @classmethod
    def of(cls, meters: Meters) -> "_Connections":
        made = cls(
            results=meters.counter("connections_total"),
            auth=_from_zero(meters.counter("auth_total"), (OK, UNAUTHORIZED)),
            resumes=meters.counter("resumes_total"),
            replayed=meters.counter("replayed_frames_total"),
            sessions=meters.histogram("session_duration_seconds"),
        )
        meters.read("connections_open", lambda: made.open_now)
        return made

    def opened(self, event: ConnectionOpened) -> None:
        self.open_now += 1
        self.results.add(event.kind)
        self.auth.add(OK)

    def closed(self, _event: ConnectionClosed) -> None:
        self.open_now -= 1

    def turned_away(self, event: ConnectionRefused) -> None:
        self.results.add(event.limit)

    def hello_refused(self, event: HelloRefused) -> None:
        self.results.add(event.error)
        if event.error == UNAUTHORIZED:
            self.auth.add(UNAUTHORIZED)

    def resumed(self, event: SessionResumed) -> None:
        self.resumes.add()
        self.replayed.add(amount=event.replayed_frames)

    def session_ended(self, event: SessionEnded) -> None:
        self.sessions.observe(event.duration_s)


@structs.frozen(eq=False)
class _Work:
    jobs: Counter
    removed: Counter
    freed: Counter
    incidents: Counter

    @classmethod
    def of(cls, meters: Meters) -> "_Work":
        return cls(
            jobs=meters.counter("job_runs_total"),
            removed=meters.counter("cleanup_removed_total"),
            freed=meters.counter("cleanup_freed_bytes_total"),
            incidents=_from_zero(meters.counter("incidents_total"), ("bug", "world")),
        )

    def job_ran(self, event: JobRan) -> None:
        self.jobs.add(event.job, event.result)

    def swept(self, event: Swept) -> None:
        self.removed.add(event.stage, amount=event.removed)
        self.freed.add(event.stage, amount=event.freed_bytes)

    def incident_seen(self, event: IncidentSeen) -> None:
        self.incidents.add(event.kind, amount=event.count)
