"""What the daemon does now and then: progress of silent calls, health file, call log, expiry. Supervision is elsewhere."""

import attrs
import msgspec
import trio

from exai_trio.observability.files import replace_private

from .sessions import Sessions
from .state import Shared
from .supervision import every

_HEALTH_FILE_S = 10.0
_FLUSH_S = 1.0
_SWEEP_S = 300.0
_ACKS_S = 1.0
_ROOM_S = 5.0


@attrs.frozen(eq=False)
class Jobs:
    """`disk` is the limiter of the threads that write the daemon's files."""

    shared: Shared
    sessions: Sessions
    disk: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(1))

    async def run(self) -> None:
        """Run all jobs until cancelled."""
        interval = self.shared.config.progress_interval_s
        async with trio.open_nursery() as jobs:
            jobs.start_soon(every, interval / 4, self.say_progress)
            jobs.start_soon(every, _HEALTH_FILE_S, self.write_health)
            jobs.start_soon(every, _FLUSH_S, self.flush_call_log)
            jobs.start_soon(every, _SWEEP_S, self.sweep_conversations)
            jobs.start_soon(every, _ACKS_S, self.sessions.note_acks)
            jobs.start_soon(every, _SWEEP_S, self.sweep_journal)
            jobs.start_soon(every, _ROOM_S, self.look_for_room)

    async def say_progress(self) -> None:
        """Every running call says something at least each EXAI_PROGRESS_INTERVAL_S: the job looks four times as often."""
        silent_since = trio.current_time() - 0.75 * self.shared.config.progress_interval_s
        for session in list(self.sessions.table.values()):
            for call in list(session.calls.values()):
                if call.is_silent_since(silent_since) and not session.mail.holds(call.wire_id):
                    call.say_progress()
            await trio.lowlevel.checkpoint()

    async def write_health(self) -> None:
        path = self.shared.config.logs / "ws_daemon.health.json"
        facts = msgspec.json.encode(self.shared.facts.health_file())
        await trio.to_thread.run_sync(replace_private, path, facts, limiter=self.disk)

    async def flush_call_log(self) -> None:
        await trio.to_thread.run_sync(self.shared.flush_logs, limiter=self.disk)

    async def sweep_conversations(self) -> None:
        await self.shared.services.conversations.sweep(self.shared.now())

    async def sweep_journal(self) -> None:
        if self.shared.journal is not None:
            grace = self.shared.config.session_grace_s
            await self.shared.journal.sweep_calls(self.shared.now(), grace)

    async def look_for_room(self) -> None:
        store = self.shared.facts.store
        if store is not None:
            await store.recover()
