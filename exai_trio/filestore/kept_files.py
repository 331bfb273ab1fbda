"""All of the files that one EXAI keeps: the registry of uploads, what cleans it up, and the stored contents."""

from pathlib import Path
from typing import TYPE_CHECKING

from exai_trio import structs
from exai_trio.filestore.cleanup_coordinator import CleanupStore
from exai_trio.filestore.local_objects import LocalObjects
from exai_trio.filestore.reconciliation import StoredObjects
from exai_trio.storage.base import Owned
from exai_trio.storage.contracts.cleanup_records import DeletionJob
from exai_trio.storage.contracts.provider_uploads import UploadRegistry
from exai_trio.storage.sqlite.uploads.cleanup_store import SqliteCleanup
from exai_trio.storage.sqlite.uploads.upload_store import Database, SqliteUploads

if TYPE_CHECKING:  # loaded only where something is shared
    from exai_trio.filestore.shared_objects import SharedObjects

_GB = 1024**3


@structs.frozen(kw_only=True)
class HostedFiles:
    """What all machines share: their cleaning up, the contents in the bucket, and those of this machine that are shared."""

    cleanup: CleanupStore
    registry: Owned[UploadRegistry]
    bucket: StoredObjects
    shared: "SharedObjects"


@structs.frozen(kw_only=True)
class KeptFiles:
    """`cleanup` and `objects` are of this machine."""

    registry: Owned[UploadRegistry]
    cleanup: CleanupStore
    objects: LocalObjects
    hosted: HostedFiles | None = None

    @property
    def contents(self) -> "LocalObjects | SharedObjects":
        """What gives and takes contents."""
        return self.hosted.shared if self.hosted else self.objects

    async def settle(self, job: DeletionJob) -> None:
        """The provider has the file no more; its object goes, where nobody needs it. Raises StorageError. Cancelling leaves the rest to
        the cleaning up."""
        stores = [self.cleanup, *([self.hosted.cleanup] if self.hosted else [])]
        await stores[-1 if job.is_hosted else 0].finish_job(job)
        for store in stores:
            await store.dispose(job.sha256)


def in_database(database: Database, root: Path, most_gb: float) -> KeptFiles:
    """Embedded: the registry in an open database, the contents below `root`."""
    objects = LocalObjects(root=root, most=int(most_gb * _GB))
    return KeptFiles(
        registry=SqliteUploads(database),
        cleanup=SqliteCleanup(database, objects.unlink),
        objects=objects,
    )
