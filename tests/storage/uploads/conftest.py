"""The registry that these tests share."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from registries import in_memory, in_sqlite


@pytest.fixture(
    params=[
        pytest.param(in_memory, id="memory"),
        pytest.param(in_sqlite, id="sqlite", marks=pytest.mark.real),
    ]
)
async def registry(request, tmp_path):
    async with request.param(tmp_path / "exai.db") as opened:
        yield opened
