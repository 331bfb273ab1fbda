"""Makes the simulation's universe importable: it is also run by scripts/dst."""

import logging
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "storage")]


@pytest.fixture(autouse=True)
def _quiet():
    """A storm fills the logs with what is expected of it."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)
