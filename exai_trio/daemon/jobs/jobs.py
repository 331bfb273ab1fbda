"""What the daemon does now and then, and how often: each job runs under supervision until the daemon ends."""

import logging
import math
from collections.abc import Iterator
from functools import partial, wraps

import trio

from exai_trio import structs
from exai_trio.errors import ServiceUnavailableError, StorageError
from exai_trio.observability.events import JobRan
from exai_trio.system import malloc

from ..health.problems import Problems
from ..sessions.eviction import Eviction
from ..sessions.session_registry import Sessions
from .call_keeping import CallKeeping
from .cleaning import Cleaning
from .daemon_files import DaemonFiles
from .store_upkeep import StoreUpkeep
from .supervision import Hindered, Job, JobGaveUp, every, name_of
from .watching import Watching

log = logging.getLogger("exai.jobs")

_SOON, _LATEST = 0.75, 0.9  # of EXAI_PROGRESS_INTERVAL_S: together rather than one by one


@structs.frozen(kw_only=True)
class Periods:
    """Seconds between two runs of a job; infinite for one that does not run."""

    eviction: float = 0.25
    acks: float = 1.0
    journal: float = 300.0
    conversations: float = 300.0
    bus: float = 300.0
    cleanup: float = 300.0
    store: float = 1.0
    files: float = 1.0
    calls: float = 1.0
    health_file: float = 10.0
    memory: float = 10.0
    sizes: float = 60.0


@structs.frozen(eq=False)
class Jobs:
    """All jobs of a daemon. What goes wrong with them is told by `problems`."""

    sessions: Sessions
    files: DaemonFiles
    keeping: CallKeeping
    upkeep: StoreUpkeep
    problems: Problems
    periods: Periods = Periods()
    cleaning: Cleaning | None = None
    watching: Watching | None = None

    async def run(self) -> None:
        """Run all jobs until cancelled, which cuts each where it is. One that gives up is named among the problems, and takes none of the
        others down."""
        async with trio.open_nursery() as jobs:
            for period, job in self._all():
                if period < math.inf:
                    jobs.start_soon(self.supervise, period, job)

    def _all(self) -> Iterator[tuple[float, Job]]:
        periods, files, upkeep = self.periods, self.files, self.upkeep
        yield 0.0, self.say_progress  # which waits for its time itself
        yield periods.eviction, Eviction(self.sessions).look
        yield periods.memory, self.give_memory_back
        for period, job in (
            (periods.health_file, files.write_health),
            (periods.files, files.flush_call_log),
            (periods.files, files.look_for_home),
            (periods.acks, self.sessions.note_acks),
            (periods.bus, upkeep.tidy_bus),
            (periods.cleanup, self.cleaning.clean_up)
            if self.cleaning
            else (periods.conversations, upkeep.sweep_conversations),
            (periods.journal, upkeep.sweep_journal),
            (periods.calls, self.keeping.flush_calls),
            (periods.journal, self.keeping.sweep_calls),
            (periods.calls, self.keeping.history.keep_history),
            (periods.journal, self.keeping.history.sweep_history),
            (periods.store, upkeep.look_for_room),
            (periods.store, upkeep.keep_log_short),
            (periods.sizes, upkeep.count_stored_bytes),
        ):
            yield period, on_disk(job)
        if self.watching is not None:
            for period, look in self.watching.jobs():
                yield period, on_disk(look)

    async def supervise(self, period: float, job: Job) -> None:
        """Run it until it gives up. What fails again and again is named among the problems until it succeeds. Cancelling cuts the job
        where it is."""
        tell = partial(self.problems.note, name_of(job))
        publish = self.sessions.context.events.publish
        try:
            await every(period, job, tell, publish)
        except JobGaveUp as fault:
            publish(JobRan(job=name_of(job), result="gave up", duration_s=0.0, fault=str(fault)))
            log.critical("job gave up", extra={"job": name_of(job), "reason": str(fault)})
            tell(f"{fault}; restart the daemon")

    async def say_progress(self) -> None:
        """Wait until the call that has been silent for longest must say something, for EXAI_PROGRESS_INTERVAL_S is nearly over; then
        it does, and whoever would have to soon after it. Cancelling leaves nothing behind."""
        interval = self.sessions.context.config.progress_interval_s
        calls = self.sessions.calls
        silent_since = min((call.silent_since for call in calls.working()), default=math.inf)
        longest = min(silent_since, trio.current_time())  # who begins meanwhile is not due before
        await trio.sleep_until(longest + _LATEST * interval)
        now = trio.current_time()
        for call in calls.working():
            if call.silent_since + _SOON * interval <= now:
                call.say_progress()

    async def give_memory_back(self) -> None:
        """What large messages took is the system's again soon after them. Cancelling leaves that to its thread."""
        await trio.to_thread.run_sync(malloc.trim, abandon_on_cancel=True)


def on_disk(job: Job) -> Job:
    """The same job; a disk that fails is no fault of its own, for which it would give up. What hinders the store is told by the
    store."""

    @wraps(job)
    async def patient() -> None:
        try:
            await job()
        except StorageError:
            # audit: empty-handler, because the store has logged it, and the job runs again
            return
        except (OSError, ServiceUnavailableError) as fault:
            raise Hindered(str(fault)) from fault

    return patient
