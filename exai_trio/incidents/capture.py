"""Catches what is logged as an error: every border logs its fault there once, so this costs nothing where nothing fails.

What is caught waits in memory, equal faults as one, until somebody keeps it; a process that keeps none itself spools at once.
"""

import logging
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import attrs

from exai_trio import __version__
from exai_trio.config import Config
from exai_trio.incidents.fault import Fault
from exai_trio.incidents.fingerprint import fingerprint
from exai_trio.incidents.log_ring import LogRing
from exai_trio.incidents.read_record import faults_of, trace_of
from exai_trio.incidents.spool import Spool
from exai_trio.observability.logs import OURS, correlation_id, secrets_of
from exai_trio.observability.redaction import LONGEST_TRACE, Redaction
from exai_trio.storage.watching.incident_records import MOST_CALLS, Occurrence

log = logging.getLogger("incidents")  # not below `exai`: what fails here is not caught again

_MOST_WAITING: Final = 1_000  # different ones, of at most about 20 KB
_WINDOW_S: Final = 60.0
_WHOLE: Final = 5  # equal ones a minute that the log tells with their trace
_LINES: Final = 1_000  # equal ones a minute that the log tells at all


def no_figures() -> Mapping[str, float]:
    return {}


class Capture(logging.Handler):
    """Faults by their fingerprints, in `waiting`. While `kept`, somebody takes them from there; else each goes to the spool."""

    def __init__(self, spool: Spool, redaction: Redaction, ring: LogRing, process: str) -> None:
        super().__init__(logging.ERROR)
        self.waiting: dict[str, Occurrence] = {}
        self.kept = False
        self.lost = 0
        self.figures: Callable[[], Mapping[str, float]] = no_figures
        self._spool, self._redaction, self._ring, self._process = spool, redaction, ring, process
        self._window, self._told = 0.0, dict[str, int]()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            faults = {fingerprint(fault): fault for fault in faults_of(record)}
            for key, fault in faults.items():
                self._note(key, fault, record)
            self._spare(record, faults)
        except Exception:
            self.lost += 1
            if self.lost == 1:
                log.exception("a fault was not caught")

    def take(self) -> tuple[Occurrence, ...]:
        """All that waits, for the caller to keep or to give back."""
        with self._turn():
            taken, self.waiting = self.waiting, {}
        return tuple(taken.values())

    def give_back(self, occurrences: tuple[Occurrence, ...]) -> None:
        with self._turn():
            for each in occurrences:
                self._add(each)

    @contextmanager
    def keeping(self) -> Generator[None]:
        """Somebody takes what waits while the block lasts. What waits at its end goes to the spool, and so does what comes then."""
        self.kept = True
        try:
            yield
        finally:
            self.kept = False
            for each in self.take():
                self._spool_one(each)

    def _note(self, key: str, fault: Fault, record: logging.LogRecord) -> None:
        seen = self.waiting.get(key)
        if seen is None:
            occurrence = self._occurrence(key, fault, record)
        else:
            under = _call_of(record)
            occurrence = attrs.evolve(
                seen, count=1, last_at=record.created, calls=(under,) if under else ()
            )
        if self.kept:
            self._add(occurrence)
        else:
            self._spool_one(occurrence)

    def _spool_one(self, seen: Occurrence) -> None:
        try:
            self._spool.add(seen)
        except OSError:
            self.lost += seen.count

    def _add(self, seen: Occurrence) -> None:
        before = self.waiting.get(seen.error_hash)
        if before is not None:
            self.waiting[seen.error_hash] = attrs.evolve(
                before,
                count=before.count + seen.count,
                first_at=min(before.first_at, seen.first_at),
                last_at=max(before.last_at, seen.last_at),
                calls=tuple(dict.fromkeys((*before.calls, *seen.calls)))[-MOST_CALLS:],
            )
        elif len(self.waiting) < _MOST_WAITING:
            self.waiting[seen.error_hash] = seen
        else:
            self.lost += 1

    def _occurrence(self, key: str, fault: Fault, record: logging.LogRecord) -> Occurrence:
        clean = self._redaction.text
        under = _call_of(record)
        context: dict[str, Any] = {
            "process": self._process,
            "logger": fault.logger,
            "phrase": clean(fault.phrase),
            "causes": list(fault.causes),
            "trace": clean(trace_of(fault), LONGEST_TRACE),
            "log": [clean(line) for line in self._ring.of(under)],
            "figures": dict(self.figures()),
            "correlation_id": under,
        }
        return Occurrence(
            error_hash=key,
            kind=fault.kind,
            severity=fault.severity,
            error_type=fault.type,
            message=clean(fault.message),
            version=__version__,
            context=context,
            first_at=record.created,
            last_at=record.created,
            calls=(under,) if under else (),
        )

    def _spare(self, record: logging.LogRecord, faults: Mapping[str, Fault]) -> None:
        """A storm of equal faults fills no log: some are told with their traces, others in a line, the rest is counted."""
        if record.created - self._window >= _WINDOW_S:
            self._window, self._told = record.created, {}
        for key in faults:
            self._told[key] = self._told.get(key, 0) + 1
        often = min((self._told[key] for key in faults), default=0)
        if often > _WHOLE:
            record.exc_info, record.exc_text = None, None
        if often > _LINES:
            record.counted_only = True  # `logs` leaves it out

    @contextmanager
    def _turn(self) -> Generator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()


def _call_of(record: logging.LogRecord) -> str:
    """The correlation id of the call that it tells of, or ""."""
    return correlation_id.get() or str(vars(record).get("correlation_id", ""))


def capture_of(config: Config, process: str, ring: LogRing) -> Capture:
    return Capture(Spool.of(config), Redaction.knowing(secrets_of(config)), ring, process)


@contextmanager
def capturing(config: Config, process: str) -> Generator[Capture]:
    """Catch what is logged as an error on `exai` until the block ends."""
    ring = LogRing()
    capture, ours = capture_of(config, process, ring), logging.getLogger(OURS)
    ours.addHandler(ring)
    ours.addHandler(capture)
    try:
        yield capture
    finally:
        for handler in (capture, ring):
            ours.removeHandler(handler)
            handler.close()
