"""The families of meters: each figure's one name, what it says and its labels. Pure."""

from typing import Final, Literal

from exai_trio import structs

Kind = Literal["counter", "gauge", "histogram"]
PREFIX: Final = "exai_"
OTHER: Final = "other"  # a label's value that is not of its closed set

# Seconds, from a small call to a long stream.
BOUNDS: Final = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0,
)  # fmt: skip


@structs.frozen
class Family:
    """`name` is without `exai_`, and whole where it begins with `process_`."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """Its name outside."""
        return self.name if self.name.startswith("process_") else PREFIX + self.name

    @property
    def samples(self) -> int:
        """Lines that one series takes: a histogram has its buckets, the last one without a bound, its sum and its count."""
        return len(BOUNDS) + 3 if self.kind == "histogram" else 1


def _counter(name: str, says: str, *labels: str) -> Family:
    return Family(name, "counter", says, labels)


def _gauge(name: str, says: str, *labels: str) -> Family:
    return Family(name, "gauge", says, labels)


def _histogram(name: str, says: str, *labels: str) -> Family:
    return Family(name, "histogram", says, labels)


FAMILIES: Final = (
    _counter("calls_accepted_total", "Calls accepted, or taken up from an earlier daemon."),
    _counter("calls_total", "Accepted calls that have ended, by outcome: ok or the error's code.", "tool", "outcome"),
    _counter("calls_left_total", "Accepted calls that were left to the next daemon."),
    _histogram("call_duration_seconds", "From a call's acceptance to its outcome.", "tool"),
    _gauge("calls_running", "Accepted calls that have no outcome yet."),
    _counter("calls_refused_total", "Calls that were never accepted, by the error's code.", "reason"),
    _counter("calls_repeated_total", "Requests sent again, and answered by what was known of them."),
    _counter("errors_total", "Ended calls that failed, by the error's category.", "category"),
    _counter("bugs_total", "Faults of EXAI's own, in calls or beside their outcomes."),
    _histogram("call_wait_seconds", "What calls waited for before they could go on.", "for"),
    _counter("provider_requests_total", "Attempts at providers, by how they ended.", "provider", "model", "outcome"),
    _histogram("provider_request_seconds", "An attempt at a provider, once it had its permit.", "provider", "model"),
    _histogram("provider_first_chunk_seconds", "From the request to the first piece of an answer.", "provider", "model"),
    _counter("tokens_total", "Tokens as providers counted them; input holds the cached ones, output those of reasoning.", "provider", "model", "type"),
    _counter("cost_total", "Money spent, of the requests whose price is known.", "provider", "model", "currency"),
    _gauge("permits", "Permits there are.", "limit"),
    _gauge("permits_in_use", "Permits that are taken.", "limit"),
    _gauge("permits_waiting", "Who waits for a permit.", "limit"),
    _gauge("breaker_state", "1 for the state in which a circuit breaker is, 0 for the others.", "breaker", "state"),
    _gauge("sessions", "Sessions there are."),
    _gauge("connections_open", "Connections that are open and have said hello."),
    _counter("connections_total", "Connections, by what became of their hello.", "result"),
    _counter("resumes_total", "Clients that came back to their session."),
    _counter("replayed_frames_total", "Frames sent again to clients that came back."),
    _histogram("session_duration_seconds", "From a session's begin to its end."),
    _counter("messages_total", "WebSocket messages of sessions.", "direction"),
    _counter("message_bytes_total", "What these messages held, about: characters are counted for bytes.", "direction"),
    _histogram("journal_commit_seconds", "How long accepted calls waited for the disk."),
    _gauge("journal_open_calls", "Calls of this daemon that the journal has as accepted and not ended."),
    _gauge("store_up", "1 if the store can be read and written, else 0."),
    _gauge("stored_bytes", "Bytes that are kept on disk, as they were counted within the last minute.", "kind"),
    _histogram("store_seconds", "Requests to a store.", "backend", "operation"),
    _gauge("outbox_entries", "What a hosted store is still to hear of."),
    _gauge("outbox_age_seconds", "How old the oldest of these is."),
    _counter("upload_reuse_total", "Uploads, by whether a provider had the file already.", "result"),
    _counter("upload_bytes_saved_total", "Bytes that were not uploaded again."),
    _counter("cleanup_removed_total", "What cleaning up has removed.", "stage"),
    _counter("cleanup_freed_bytes_total", "Bytes that cleaning up has freed.", "stage"),
    _counter("job_runs_total", "Runs of the daemon's own jobs.", "job", "result"),
    _histogram("loop_step_seconds", "Steps of tasks on the event loop."),
    _gauge("tasks", "Tasks on the event loop."),
    _gauge("alerts_firing", "1 for an alert that fires.", "alert"),
    _counter("incidents_total", "Faults that were recorded.", "kind"),
    _gauge("budget_spent_ratio", "Of the budget of tokens of which most is spent today, that share."),
    _gauge("incidents_open", "Incidents that are not resolved."),
    _gauge("terminal_sessions", "Terminal sessions that run.", "type"),
    _gauge("terminal_connections", "Connections of clients of terminals."),
    _counter("terminal_creations_total", "Terminal sessions that were wanted, by whether they were started.", "result"),
    _counter("terminal_attaches_total", "Clients that were attached to terminals."),
    _counter("terminal_reconnects_total", "Of these, those that came back."),
    _counter("terminal_attach_seconds_total", "How long they waited for it, together."),
    _counter("terminal_ended_seconds_total", "How long terminal sessions lasted that have ended, together."),
    _counter("terminal_bytes_total", "What was typed into terminals, and what they have shown.", "direction"),
    _counter("terminal_errors_total", "What clients of terminals were refused.", "code"),
    _gauge("terminal_process_cpu_seconds", "Processor time of the processes that run in terminals."),
    _gauge("terminal_process_resident_bytes", "Resident memory of the processes that run in terminals."),
    _counter("auth_total", "Hellos and requests, by what became of their proof.", "result"),
    _counter("events_dropped_total", "Events that a sink did not take.", "sink"),
    _gauge("build_info", "1, with the version.", "version"),
    _gauge("process_resident_memory_bytes", "Resident memory."),
    _counter("process_cpu_seconds_total", "Processor time."),
    _gauge("process_open_fds", "Open file descriptors."),
    _gauge("process_start_time_seconds", "When the process began, in unix seconds."),
)  # fmt: skip
