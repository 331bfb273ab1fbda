"""How many files and sockets this process may have open."""

import resource
from contextlib import suppress


def raise_limit() -> None:
    """As many as the system allows without asking: its soft limit is for programs of another kind. A system that refuses is
    obeyed."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
