"""All of the files that one EXAI keeps: the registry of uploads, what cleans it up, and the stored contents."""

from pathlib import Path

from exai_trio import structs
from exai_trio.filestore.cleanup_coordinator import CleanupStore
from exai_trio.filestore.local_objects import LocalObjects
from exai_trio.storage.base import Owned
from exai_trio.storage.contracts.provider_uploads import UploadRegistry
from exai_trio.storage.sqlite.uploads.cleanup_store import SqliteCleanup
from exai_trio.storage.sqlite.uploads.upload_store import Database, SqliteUploads

_GB = 1024**3


@structs.frozen(kw_only=True)
class KeptFiles:
    """`hosted`: the ids of stored objects mean something to other machines."""

    registry: Owned[UploadRegistry]
    cleanup: CleanupStore
    objects: LocalObjects
    hosted: bool = False


def in_database(database: Database, root: Path, most_gb: float) -> KeptFiles:
    """Embedded: the registry in an open database, the contents below `root`."""
    objects = LocalObjects(root=root, most=int(most_gb * _GB))
    return KeptFiles(
        registry=SqliteUploads(database),
        cleanup=SqliteCleanup(database, objects.unlink),
        objects=objects,
    )
