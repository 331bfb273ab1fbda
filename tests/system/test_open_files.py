"""How many files and sockets the daemon may have open."""

import resource

import pytest

from exai_trio.system.open_files import raise_limit


@pytest.fixture
def limits():
    """The soft limit is one below the hard one, and afterwards as it was."""
    before = soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lower = soft if soft < hard and soft != resource.RLIM_INFINITY else 4096
    resource.setrlimit(resource.RLIMIT_NOFILE, (lower, hard))
    yield lower, hard
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_soft_limit_is_raised_to_the_hard_one(limits):
    """As far as it goes without asking anybody."""
    lower, hard = limits
    raise_limit()

    assert lower != hard
    assert (hard, hard) == resource.getrlimit(resource.RLIMIT_NOFILE)


def test_a_system_that_refuses_is_obeyed(monkeypatch):
    """Nothing is said, and nothing fails."""

    def refuse(*_):
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    raise_limit()
