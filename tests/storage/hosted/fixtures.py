"""Fixtures of tests that need the hosted store; a conftest imports them."""

import pytest

from hosted.stage import the_stage


@pytest.fixture(scope="session")
def started_stage():
    stage, reason = the_stage()
    yield stage, reason
    if stage is not None:
        stage.close()


@pytest.fixture
def stage(started_stage):
    """The database and what stands before it, empty. Skips, with the reason, where that cannot start."""
    found, reason = started_stage
    if found is None:
        pytest.skip(f"no hosted store here: {reason}")
    found.empty()
    return found


@pytest.fixture
async def gateway(stage):
    """The door to it, open; its `wrong` says what is wrong."""
    async with stage.open_gateway() as opened:
        yield opened
