"""What the tests of the session rules share; the calls that they are about are in a module beside them."""

import sys
from pathlib import Path

import pytest

from exai_trio.wire.session_rules import SessionRules

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def rules():
    return SessionRules(resumable=True)
