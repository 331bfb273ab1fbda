"""The C library's heap, which keeps what large messages took after they are gone."""

import ctypes


def trim() -> None:
    """Give what is free back to the system. Blocks for some milliseconds. Does nothing where the C library cannot."""
    try:
        malloc_trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        # audit: empty-handler, because a C library that cannot is left as it is
        return
    malloc_trim(0)
