"""A bench, and a user without a configuration of git."""

import sys
from pathlib import Path

import pytest

sys.path.insert(
    0, str(Path(__file__).parents[2] / "security" / "repositories")
)  # what these tests share is there

from made import load_bench


@pytest.fixture
def bench():
    return load_bench()


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    """The user's home directory; tests write a .gitconfig into it."""
    place = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in ("XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.delenv(name, raising=False)
    return place
