"""A daemon's store at Supabase: connected once the daemon serves, fed from the outbox, looked after, and told of in its health.

Nothing of it is loaded where STORAGE_BACKEND is sqlite.
"""

import logging
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from random import SystemRandom
from typing import Any, Final

import attrs
import trio

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.resilience.breaker import Breaker
from exai_trio.storage.hosted.guarded_remote import GuardedRemote
from exai_trio.storage.hosted.hosted_faults import HostedAway, HostedFault
from exai_trio.storage.hosted.outbox_entries import Depth, Remote
from exai_trio.storage.hosted.outbox_sender import MENDED_S, SEND_S, OutboxSender
from exai_trio.storage.mirror import Mirror
from exai_trio.storage.sqlite.mirrored.local_side import LocalSide
from exai_trio.storage.sqlite.mirrored.outbox_table import SqliteOutbox
from exai_trio.storage.sqlite.store import SqliteStore
from exai_trio.storage.store_times import StoreTimes

from .hosted_contents import HostedContents
from .jobs import on_disk
from .supervision import Job

log = logging.getLogger("exai.storage")

_AGAIN_S: Final = 1.0  # after a fault of this machine's store
_AWAY_S: Final = 5.0  # between two tries to connect
_LOOK_S: Final = 5.0  # between two looks at how full the outbox is
_SWEEP_S: Final = 3600.0
_DAY_S: Final = 86400.0
_OLD_S: Final = 3600.0  # of an entry, from which on it is a trouble
_FULL: Final = 100 * 1024 * 1024  # bytes of the outbox, likewise


@structs.define(eq=False, kw_only=True)
class HostedSide:
    """`run` connects and sends until it is cancelled; `schema` is the version that was found there. What goes wrong with one of its jobs
    takes neither the others nor the daemon down."""

    config: Config
    now: Callable[[], float]
    mirror: Mirror
    outbox: SqliteOutbox
    sender: OutboxSender
    contents: HostedContents
    depth: Depth = Depth()
    schema: int | None = None
    _woken: trio.Event = attrs.field(factory=trio.Event)

    @classmethod
    def of(
        cls,
        config: Config,
        store: SqliteStore,
        now: Callable[[], float],
        times: StoreTimes | None = None,
    ) -> "HostedSide":
        outbox = SqliteOutbox(store)
        threshold = config.circuit_breaker_threshold if config.circuit_breaker_enabled else 0
        open_s = config.circuit_breaker_timeout_secs
        remote = GuardedRemote(Breaker(threshold=threshold, open_s=open_s), times or StoreTimes())
        return cls(
            config=config,
            now=now,
            mirror=Mirror(LocalSide(store, outbox), remote, store),
            outbox=outbox,
            sender=OutboxSender(outbox, remote, SystemRandom().random),
            contents=HostedContents.of(config, store, outbox, remote, now),
        )

    async def run(
        self, supervise: Callable[[float, Job], Awaitable[None]], after: trio.Event
    ) -> None:
        """Each of the jobs, until cancelled, which leaves what has not arrived in the outbox; not before `after`, since what they load
        would take the processor from who still begins to serve."""
        await after.wait()
        async with trio.open_nursery() as background:
            background.start_soon(supervise, _AGAIN_S, self.stay_connected)
            background.start_soon(supervise, _AGAIN_S, self.send_outbox)
            background.start_soon(supervise, _AGAIN_S, on_disk(self.contents.send))
            background.start_soon(supervise, _AGAIN_S, self.contents.sweep_results)
            background.start_soon(supervise, _LOOK_S, on_disk(self.measure_outbox))
            background.start_soon(supervise, _AGAIN_S, self.sweep_history)

    async def finish(self) -> None:
        """What can be sent soon is. Cancelling leaves the rest to the next daemon, as does a store that fails."""
        await on_disk(self.sender.wait_sent)()

    def try_now(self) -> None:
        """Somebody may have mended what was wrong."""
        self._woken.set()
        self._send_now()

    def _send_now(self) -> None:
        self.sender.try_now()
        self.contents.sender.try_now()

    async def send_outbox(self) -> None:
        """For ever. Cancelling leaves in the outbox what has not arrived."""
        await self.sender.run()

    async def stay_connected(self) -> None:
        """For ever. Cancelling closes the connection; then whoever asks is told so."""
        try:
            async with self._open_remote() as remote:
                await self._keep_connected(remote)
        finally:
            self.mirror.remote.refuse(HostedAway("Supabase is not connected."))

    @asynccontextmanager
    async def _open_remote(self) -> AsyncGenerator[Remote]:
        """Loaded beside the event loop, now that the daemon serves."""
        loaded = await trio.to_thread.run_sync(
            import_module, "exai_trio.storage.supabase.connecting"
        )
        url, key = self.config.supabase_url, self.config.supabase_key
        async with loaded.open_remote(url, key, self.now) as remote:
            yield remote

    async def _keep_connected(self, remote: Remote) -> None:
        """The clocks and the schema are looked at again and again: what does not fit is not asked, and asked again once it does."""
        connected = False
        while True:
            self._woken = trio.Event()
            fault = await self._state(remote)
            if fault is None:
                self.mirror.remote.connect(remote)
                if not connected or self.sender.trouble:
                    self._send_now()
                connected = True
            elif not connected or not isinstance(fault, HostedAway):
                connected = False
                self.mirror.remote.refuse(fault)
            with trio.move_on_after(_AWAY_S if isinstance(fault, HostedAway) else MENDED_S):
                await self._woken.wait()

    async def _state(self, remote: Remote) -> HostedFault | None:
        try:
            with trio.fail_after(SEND_S):
                self.schema = (await remote.state()).version
        except HostedFault as fault:
            return fault
        except trio.TooSlowError:
            return HostedAway(
                "Supabase does not answer; what is kept meanwhile is sent later.", reason="too slow"
            )
        return None

    async def measure_outbox(self) -> None:
        """Raises StorageError. Cancelling changes nothing."""
        self.depth = await self.outbox.depth()

    async def sweep_history(self) -> None:
        """Conversations that ended EXAI_HISTORY_DAYS ago go there, for ever; any daemon may do that, and as often as it likes. Cancelling
        leaves the rest to the next time."""
        kept_s = self.config.history_days * _DAY_S
        while True:
            try:
                gone = await self.mirror.remote.ask(
                    lambda remote: remote.sweep(self.now(), kept_s), within_s=SEND_S
                )
            except HostedFault as fault:
                log.info("history not swept", extra={"reason": fault.reason})
                await trio.sleep(MENDED_S)
                continue
            if gone:
                log.info("history swept", extra={"conversations": gone})
            await trio.sleep(_SWEEP_S)

    def facts(self) -> dict[str, Any]:
        """For the health of the daemon; a plain read."""
        rate, breaker = self.mirror.looks.hit_rate, self.mirror.remote.breaker
        fault = self.mirror.remote.fault
        return {
            "schema": self.schema,
            "outbox": {
                "entries": self.depth.entries,
                "bytes": self.depth.size,
                "oldest_s": round(self.outbox_age_s, 1),
                "parked": self.depth.parked,
            },
            "breaker": breaker.state(trio.current_time()),
            "reads_spared": None if rate is None else round(rate, 4),
            "sent": self.sender.sent,
            "contents_sent": self.contents.sender.sent,
            "last_fault": None if fault is None else fault.message,
        }

    def troubles(self) -> Mapping[str, str | None]:
        """What somebody should know of, by name; None where all is well."""
        fault = self.sender.trouble or self.mirror.remote.fault
        lasting = fault is not None and not isinstance(fault, HostedAway)
        read_only = fault is not None and fault.reason == "25006"
        old, full = self.outbox_age_s > _OLD_S, self.depth.size > _FULL
        waiting = (
            f"{self.depth.entries} entries wait to be sent to Supabase, the oldest for {self.outbox_age_s / 60:.0f} min"
            f" ({self.depth.size / 2**20:.0f} MiB)"
        )
        return {
            "supabase": fault.message if fault is not None and (lasting or read_only) else None,
            "outbox": waiting if old or full else None,
        }

    @property
    def outbox_entries(self) -> int:
        return self.depth.entries

    @property
    def outbox_age_s(self) -> float:
        """Of the oldest entry; 0 if there is none."""
        oldest = self.depth.oldest_at
        return 0.0 if oldest is None or math.isinf(oldest) else max(0.0, self.now() - oldest)
