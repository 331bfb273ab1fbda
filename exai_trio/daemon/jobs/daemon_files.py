"""The files that the daemon keeps in EXAI_HOME beside its database: the lock, the token, its health, the logs of calls."""

import msgspec

from exai_trio import structs
from exai_trio.access.access_log import AccessLog
from exai_trio.observability.call_files import CallFiles
from exai_trio.system.disk import DiskThread
from exai_trio.system.private_files import replace_private

from ..health.report import Report
from ..process.home_lock import HomeLock


@structs.frozen(eq=False)
class DaemonFiles:
    """Each method raises OSError if the disk refuses; cancelling leaves the write to its thread, and the next one waits for
    that. Without a `home` there is none to be locked."""

    report: Report
    logs: CallFiles
    home: HomeLock | None
    thread: DiskThread
    access: AccessLog

    async def write_health(self) -> None:
        path = self.report.context.config.logs / "ws_daemon.health.json"
        facts = msgspec.json.encode(self.report.health_file())
        await self.thread.run(replace_private, path, facts)

    async def flush_call_log(self) -> None:
        old = self.access.gather(everything=self.report.draining)
        await self.thread.run(self._flush, old)

    def _flush(self, old: float | None) -> None:
        self.logs.flush()
        self.access.write(old)

    async def look_for_home(self) -> None:
        """Take EXAI_HOME as soon as it can be written."""
        if self.home is not None:
            await self.thread.run(self.home.look)
