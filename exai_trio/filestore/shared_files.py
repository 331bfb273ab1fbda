"""Kept files that all machines share: claims and references at Supabase, contents in its bucket, and this machine's beside them."""

from typing import TYPE_CHECKING

import attrs

from exai_trio.filestore.kept_files import HostedFiles, KeptFiles
from exai_trio.filestore.shared_objects import SharedObjects
from exai_trio.storage.hosted.function_calls import GuardedFunctions
from exai_trio.storage.hosted.guarded_bucket import FILES, GuardedBucket
from exai_trio.storage.hosted.guarded_remote import GuardedRemote
from exai_trio.storage.hosted.mirrored_uploads import MirroredUploads
from exai_trio.storage.sqlite.mirrored.local_uploads import LocalUploads
from exai_trio.storage.sqlite.mirrored.outbox_table import SqliteOutbox
from exai_trio.storage.sqlite.mirrored.unsent_objects import SqliteUnsent
from exai_trio.storage.supabase.hosted_cleanup import SupabaseCleanup
from exai_trio.storage.supabase.hosted_uploads import SupabaseUploads

if TYPE_CHECKING:
    from exai_trio.storage.sqlite.store import SqliteStore


def share(
    kept: KeptFiles,
    store: "SqliteStore",
    outbox: SqliteOutbox,
    unsent: SqliteUnsent,
    remote: GuardedRemote,
) -> tuple[KeptFiles, SharedObjects]:
    """The files of an open store, with all that other machines have; and their contents."""
    functions = GuardedFunctions(remote)
    bucket = GuardedBucket(remote, FILES)
    registry = SupabaseUploads(functions)
    objects = SharedObjects(local=kept.objects, bucket=bucket, functions=functions, unsent=unsent)
    hosted = HostedFiles(
        cleanup=SupabaseCleanup(functions, bucket.delete),
        registry=registry,
        bucket=bucket,
        shared=objects,
    )
    mirrored = MirroredUploads(LocalUploads(store, outbox), registry)
    return attrs.evolve(kept, registry=mirrored, hosted=hosted), objects
