"""What this process takes of the machine; None where the system does not tell."""

import os
import resource
from pathlib import Path
from typing import Final

# Linux tells there, and nobody else tells anywhere.
_SELF: Final = Path("/proc/self")


def resident_bytes() -> float | None:
    if not _SELF.is_dir():
        return None
    pages = int((_SELF / "statm").read_text("ascii").split()[1])
    return float(pages * resource.getpagesize())


def cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system


def open_files() -> float | None:
    """Descriptors, the one that looks among them."""
    return float(sum(1 for _ in (_SELF / "fd").iterdir())) if _SELF.is_dir() else None
