"""Which mutants are tried: drawn by a seed, so that a change of one line moves no other mutant into the sample or out of it."""

import hashlib
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from .operators import Mutant, mutants

_MOVE_CALLS: Final = {
    "daemon/calls": "call call_journal detached_calls execution lifecycle recovery session_calls states",
    "daemon/sessions": "handles_told lookup read_patience session session_registry",
    "daemon/delivery": "hold_queue outbox sender",
    "daemon/takeover": "predecessor successor transfer_messages",
    "wire": "session_rules",
    "shim/calls": "dispatch relay",
    "mcp/calls": "open_calls",
    "storage/append_log": "appender framing index journal segments",
    "storage": "group_commit",
}
# What moves a call from its acceptance to its answer, and keeps it.
LIVES: Final = tuple(
    f"exai_trio/{room}/{name}.py" for room, names in _MOVE_CALLS.items() for name in names.split()
)
ROOMS: Final = (
    *(f"exai_trio/daemon/{room}" for room in ("calls", "sessions", "delivery", "takeover")),
    *("exai_trio/wire/session_rules.py", "exai_trio/shim", "exai_trio/mcp", "exai_trio/storage"),
)
# What stands in for a database in tests alone, what only the real components of a hosted store can judge, and what is no call's.
_NOT_TRIED: Final = frozenset(
    Path("exai_trio") / name
    for name in (
        *("storage/memory", "storage/hosted", "storage/supabase", "storage/postgres"),
        *("storage/sqlite/mirrored", "storage/sqlite/watching", "storage/watching"),
        "storage/store_times.py",
        "daemon/takeover/cluster",
    )
)
EXPLAINED = Path(__file__).parent / "explained.toml"


def sampled(rooms: Iterable[str], count: int, seed: int) -> list[Mutant]:
    """`count` of all mutants of these rooms; all of them for 0."""
    paths = sorted({file for room in rooms for file in _files(Path(room))})
    every = [
        mutant for path in paths for mutant in mutants(str(path), path.read_text(encoding="utf-8"))
    ]
    return sorted(every, key=lambda mutant: _drawn(seed, mutant))[: count or None]


def explained() -> dict[str, str]:
    """Why it is well that nothing notices a mutant, by its key."""
    found: dict[str, str] = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))["survivors"]
    return found


def _files(named: Path) -> list[Path]:
    found = [named] if named.is_file() else list(named.rglob("*.py"))
    return [file for file in found if _NOT_TRIED.isdisjoint((file, *file.parents))]


def _drawn(seed: int, mutant: Mutant) -> tuple[str, int, int]:
    digest = hashlib.sha256(f"{seed} {mutant.key}".encode()).hexdigest()
    return digest, mutant.number, mutant.choice
