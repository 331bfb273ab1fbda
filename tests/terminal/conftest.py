"""Real keepers, started as a daemon starts them, with nothing left of them after the test."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the modules that these tests share are beside them

from real_home import home_in
from real_keepers import RealKeepers


@pytest.fixture
def keepers(tmp_path):
    """Starts keepers; whatever one of them has started has ended after the test."""
    with RealKeepers(tmp_path / "terminals") as found:
        yield found


@pytest.fixture
def home(tmp_path):
    """A home; whatever is started in it has ended after the test."""
    found = home_in(tmp_path)
    yield found
    found.close()
