"""The registry that these tests share."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from registries import at_supabase, in_memory, in_sqlite

EMBEDDED = [
    pytest.param(in_memory, id="memory"),
    pytest.param(in_sqlite, id="sqlite", marks=pytest.mark.real),
]


@pytest.fixture(
    params=[*EMBEDDED, pytest.param(at_supabase, id="supabase", marks=pytest.mark.real)]
)
async def registry(request, tmp_path):
    hosted = request.param is at_supabase
    place = request.getfixturevalue("stage") if hosted else tmp_path / "exai.db"
    async with request.param(place) as opened:
        yield opened


@pytest.fixture(params=EMBEDDED)
async def embedded(request, tmp_path):
    """For what Supabase does otherwise: its history has a sweep of its own."""
    async with request.param(tmp_path / "exai.db") as opened:
        yield opened
