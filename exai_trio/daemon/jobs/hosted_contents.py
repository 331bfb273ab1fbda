"""What a daemon shares with others besides conversations: its files and large results, and the jobs that send and fetch their contents."""

import logging
from collections.abc import Callable
from random import SystemRandom
from typing import Final

import trio

from exai_trio import structs
from exai_trio.bus.shared_payloads import SharedPayloads
from exai_trio.config import Config
from exai_trio.filestore.kept_files import KeptFiles, in_database
from exai_trio.filestore.shared_files import share
from exai_trio.filestore.shared_objects import SharedObjects
from exai_trio.storage.hosted.function_calls import GuardedFunctions
from exai_trio.storage.hosted.guarded_bucket import FILES, RESULTS, GuardedBucket
from exai_trio.storage.hosted.guarded_remote import GuardedRemote
from exai_trio.storage.hosted.hosted_faults import HostedFault
from exai_trio.storage.hosted.object_sender import ObjectSender, Source
from exai_trio.storage.sqlite.mirrored.local_payloads import telling
from exai_trio.storage.sqlite.mirrored.outbox_table import SqliteOutbox
from exai_trio.storage.sqlite.mirrored.unsent_objects import SqliteUnsent
from exai_trio.storage.sqlite.payload_rows import SqlitePayloads
from exai_trio.storage.sqlite.store import SqliteStore

log = logging.getLogger("exai.storage")

_SWEEP_S: Final = 300.0


@structs.frozen(kw_only=True, eq=False)
class HostedContents:
    """`sender` sends the contents of both."""

    files: KeptFiles
    shared: SharedObjects
    payloads: SharedPayloads
    sender: ObjectSender

    @classmethod
    def of(
        cls,
        config: Config,
        store: SqliteStore,
        outbox: SqliteOutbox,
        remote: GuardedRemote,
        now: Callable[[], float],
    ) -> "HostedContents":
        unsent = SqliteUnsent(store)
        kept = in_database(store, config.objects, config.files_max_gb)
        files, shared = share(kept, store, outbox, unsent, remote)
        payloads = SharedPayloads(
            rows=telling(store, outbox, unsent),
            copies=SqlitePayloads(store),
            folder=config.home / "bus",
            bucket=GuardedBucket(remote, RESULTS),
            functions=GuardedFunctions(remote),
        )
        sources = {
            FILES: Source(bucket=shared.bucket, opened=shared.to_send, arrived=shared.note_sent),
            RESULTS: Source(
                bucket=payloads.bucket, opened=payloads.to_send, arrived=payloads.note_sent
            ),
        }
        sender = ObjectSender(unsent=unsent, sources=sources, now=now, random=SystemRandom().random)
        return cls(files=files, shared=shared, payloads=payloads, sender=sender)

    async def send(self) -> None:
        """For ever. Raises StorageError. Cancelling leaves what has not arrived to be sent again."""
        await self.shared.recall()
        await self.sender.run()

    async def sweep_results(self) -> None:
        """For ever: those whose time is over go from the bucket. Cancelling leaves the rest to the next time."""
        while True:
            try:
                gone = await self.payloads.remove_old()
            except HostedFault as fault:
                log.info("results not swept", extra={"reason": fault.reason})
            else:
                if gone:
                    log.info("results swept", extra={"results": gone})
            await trio.sleep(_SWEEP_S)
