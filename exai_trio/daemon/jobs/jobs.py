"""What the daemon does now and then: progress of silent calls, health file, call log, expiry. Supervision is elsewhere."""

import logging
from functools import partial, wraps

import msgspec
import trio

from exai_trio import structs
from exai_trio.errors import ServiceUnavailableError, StorageError
from exai_trio.system import malloc
from exai_trio.system.private_files import replace_private

from ..calls.states import WORKING
from ..context import Shared
from ..sessions.eviction import Relief
from ..sessions.registry import Sessions
from .supervision import Job, JobGaveUp, every, name_of

log = logging.getLogger("exai.jobs")

_HEALTH_FILE_S = 10.0
_FLUSH_S = 1.0
_SWEEP_S = 300.0
_NOTHING_OLD_S = 3600.0
_ACKS_S = 1.0
_ROOM_S = 1.0
_LOG_S = 1.0
_TRIM_S = 10.0
_DISK_AGAIN_S = 1.0
_RELIEF_S = 0.25


@structs.frozen(eq=False)
class Jobs:
    shared: Shared
    sessions: Sessions

    async def run(self) -> None:
        """Run all jobs until cancelled. One that gives up is named in the daemon's troubles, and takes none of the others
        down."""
        interval = self.shared.config.progress_interval_s
        async with trio.open_nursery() as jobs:
            for period, job in (
                (interval / 4, self.say_progress),
                (_RELIEF_S, Relief(self.sessions).look),
                (_HEALTH_FILE_S, self.on_disk(self.write_health)),
                (_FLUSH_S, self.on_disk(self.flush_call_log)),
                (_SWEEP_S, self.on_disk(self.sweep_conversations)),
                (_ACKS_S, self.on_disk(self.sessions.note_acks)),
                (_SWEEP_S, self.on_disk(self.sweep_journal)),
                (_ROOM_S, self.on_disk(self.look_for_room)),
                (_LOG_S, self.on_disk(self.keep_log_short)),
                (_ROOM_S, self.on_disk(self.look_for_home)),
                (_TRIM_S, self.give_memory_back),
            ):
                jobs.start_soon(self.supervise, period, job)

    async def supervise(self, period: float, job: Job) -> None:
        """Run it until it gives up. What fails again and again is named in the daemon's troubles until it succeeds."""
        tell = partial(self.shared.facts.troubles.note, name_of(job))
        try:
            await every(period, job, tell)
        except JobGaveUp as fault:
            log.critical("job gave up", extra={"job": name_of(job), "reason": str(fault)})
            tell(f"{fault}; restart the daemon")

    def on_disk(self, job: Job) -> Job:
        """The same job; a disk that fails is no fault of the job's own, for which it would give up. It is tried again until it
        can be done."""

        @wraps(job)
        async def patient() -> None:
            while True:
                text = await _hindrance(job)
                self.shared.facts.troubles.note(name_of(job), text)
                if text is None:
                    return
                await trio.sleep(_DISK_AGAIN_S)

        return patient

    async def say_progress(self) -> None:
        """Every running call says something at least each EXAI_PROGRESS_INTERVAL_S: the job looks four times as often."""
        silent_since = trio.current_time() - 0.75 * self.shared.config.progress_interval_s
        for call in list(self.sessions.calls.open):
            if call.state in WORKING and call.is_silent_since(silent_since):
                call.say_progress()
        await trio.lowlevel.checkpoint()

    async def give_memory_back(self) -> None:
        """What large messages took is the system's again soon after them."""
        await trio.to_thread.run_sync(malloc.trim, abandon_on_cancel=True)

    async def write_health(self) -> None:
        path = self.shared.config.logs / "ws_daemon.health.json"
        facts = msgspec.json.encode(self.shared.facts.health_file())
        await self.shared.in_thread(replace_private, path, facts)

    async def flush_call_log(self) -> None:
        await self.shared.in_thread(self.shared.flush_logs)

    async def sweep_conversations(self) -> None:
        """Nothing expires by a clock that may be wrong; that it is right is noted for the next daemon."""
        shared = self.shared
        if not shared.is_clock_trusted():
            log.info("nothing old is deleted until the clock has been right for an hour")
            return
        now = shared.now()
        await shared.services.conversations.sweep(now)
        await shared.services.conversations.note_time(now)

    async def sweep_journal(self) -> None:
        """What is acknowledged goes at once. Nothing counts as old by a clock that may be wrong, nor in the daemon's first hour:
        its client may be about to come back."""
        shared = self.shared
        if shared.journal is not None:
            is_settled = shared.facts.uptime_s() >= _NOTHING_OLD_S
            now = shared.now() if is_settled and shared.is_clock_trusted() else None
            await shared.journal.sweep_calls(now, shared.config.session_grace_s)

    async def look_for_room(self) -> None:
        """See whether the store can be written again; then take up what could not be read when the daemon started."""
        facts = self.shared.facts
        if facts.store is None:
            return
        await facts.store.recover()
        facts.note_store()
        if facts.store.fault is None and not self.sessions.restored:
            await self.sessions.restore()

    async def keep_log_short(self) -> None:
        if self.shared.facts.store is not None:
            await self.shared.facts.store.keep_log_short()

    async def look_for_home(self) -> None:
        """Take EXAI_HOME as soon as it can be written."""
        home = self.shared.home
        if home is not None:
            await self.shared.in_thread(home.look)


async def _hindrance(job: Job) -> str | None:
    """Do it; or why it cannot be done. What hinders the store is told by the store."""
    try:
        await job()
    except StorageError:
        return None
    except (OSError, ServiceUnavailableError) as fault:
        return str(fault)
    return None
