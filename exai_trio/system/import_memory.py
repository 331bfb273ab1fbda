"""Memory that imports take: not taken where it serves nothing, given back afterwards.

One process per editor window counts.
"""

import gc
import linecache
import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any, cast

from exai_trio.system import malloc

_METADATA = "importlib.metadata"


@contextmanager
def versions_without_metadata() -> Generator[None]:
    """trio-websocket asks importlib.metadata for the version of trio, once, while it is imported. That would load the standard
    library's mail, zip and csv code, 1.2 MiB and a tenth of the start of `exai ask`; for so long a stand-in answers."""
    if _METADATA in sys.modules:
        yield
        return
    stand_in = ModuleType(_METADATA)
    cast("Any", stand_in).version = _version
    sys.modules[_METADATA] = stand_in
    try:
        yield
    finally:
        del sys.modules[_METADATA]


def _version(name: str) -> str:
    version: str = import_module(name).__version__
    return version


def give_back() -> None:
    """Blocks for a few milliseconds."""
    linecache.clearcache()  # attrs leaves the text of every method there that it has written
    gc.collect()
    malloc.trim()
