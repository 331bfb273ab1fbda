"""Which mutants are tried: drawn by a seed, so that a change of one line moves no other mutant into the sample or out of it."""

import hashlib
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from .operators import Mutant, mutants

LIVES: Final = (  # where a call lives: from its acceptance to its answer
    "exai_trio/daemon/calls",
    "exai_trio/daemon/sessions",
    "exai_trio/daemon/delivery",
    "exai_trio/daemon/takeover",
    "exai_trio/wire/session_rules.py",
    "exai_trio/shim/calls",
    "exai_trio/mcp/calls/open_calls.py",
    *(
        f"exai_trio/storage/append_log/{name}.py"
        for name in ("framing", "index", "segments", "appender", "journal")
    ),
    "exai_trio/storage/group_commit.py",
)
ROOMS: Final = (*LIVES, "exai_trio/shim", "exai_trio/mcp", "exai_trio/storage")
# What stands in for a database in tests alone, and what only the real components of a hosted store can judge.
_NOT_TRIED: Final = frozenset(
    Path("exai_trio/storage") / name for name in ("memory", "hosted", "supabase", "sqlite/mirrored")
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
    return [file for file in found if _NOT_TRIED.isdisjoint(file.parents)]


def _drawn(seed: int, mutant: Mutant) -> tuple[str, int, int]:
    digest = hashlib.sha256(f"{seed} {mutant.key}".encode()).hexdigest()
    return digest, mutant.number, mutant.choice
