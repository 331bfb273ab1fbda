"""Kept files for tests and the simulation: a registry that forgets, with a clock of its own."""

from collections.abc import Callable
from pathlib import Path

from database_in_memory import MemoryDatabase

from exai_trio.filestore.kept_files import KeptFiles
from exai_trio.filestore.local_objects import LocalObjects

_MOST = 1024**3


def in_memory(now: Callable[[], float], root: Path = Path("/nonexistent")) -> KeptFiles:
    """`now` is the registry's clock, in unix seconds; contents go below `root`."""
    database = MemoryDatabase(now)
    objects = LocalObjects(root=root, most=_MOST)
    return KeptFiles(
        registry=database.uploads(), cleanup=database.cleanup(objects.unlink), objects=objects
    )
