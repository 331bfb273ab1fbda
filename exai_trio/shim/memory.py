"""Giving memory back that the imports needed only while they ran. One process per editor window makes it count."""

import ctypes
import gc
import linecache


def give_back() -> None:
    """Blocks for a few milliseconds. Does nothing where the C library cannot."""
    linecache.clearcache()  # attrs leaves the text of every method there that it has written
    gc.collect()
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return
    trim(0)
