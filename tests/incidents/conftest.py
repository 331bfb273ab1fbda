"""What the tests of incidents share: the corpus, and how it is told."""

import sys
from pathlib import Path

import pytest

from exai_trio.config import Config
from exai_trio.incidents.capture import capturing

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))


@pytest.fixture
def config(tmp_path):
    return Config(home=tmp_path, glm_api_key="canary-word-zwolle-pfad")


@pytest.fixture
def capture(config):
    """What is logged as an error waits here, as in a daemon."""
    with capturing(config, "daemon") as capture, capture.keeping():
        yield capture
