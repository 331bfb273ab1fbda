"""The registry that these tests share."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from registries import (
    at_supabase,
    in_memory,
    in_mirror,
    in_mirror_away,
    in_mirror_of_memory,
    in_sqlite,
)

EMBEDDED = [
    pytest.param(in_memory, id="memory"),
    pytest.param(in_sqlite, id="sqlite", marks=pytest.mark.real),
]


HOSTED = [
    pytest.param(at_supabase, id="supabase", marks=pytest.mark.real),
    pytest.param(in_mirror, id="mirror", marks=pytest.mark.real),
]
MIRRORED = pytest.param(in_mirror_of_memory, id="mirror-of-memory")
AWAY = pytest.param(in_mirror_away, id="mirror-away")


def opened(request, tmp_path):
    needs_stage = request.param in {at_supabase, in_mirror}
    stage = request.getfixturevalue("stage") if needs_stage else None
    return request.param(tmp_path / "exai.db", stage)


@pytest.fixture(params=[*EMBEDDED, *HOSTED, MIRRORED, AWAY])
async def registry(request, tmp_path):
    async with opened(request, tmp_path) as found:
        yield found


@pytest.fixture(params=[*EMBEDDED, *HOSTED, MIRRORED])
async def reached(request, tmp_path):
    """For what waits for Supabase if it is away."""
    async with opened(request, tmp_path) as found:
        yield found


@pytest.fixture(params=EMBEDDED)
async def embedded(request, tmp_path):
    """For what Supabase does otherwise: its history has a sweep of its own."""
    async with opened(request, tmp_path) as found:
        yield found
