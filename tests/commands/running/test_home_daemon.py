"""`exai stop` and `exai restart`, on a daemon of their own."""

import fcntl
import os

import pytest

from exai_trio.commands.running import home_daemon, restart_daemon, stop_daemon
from exai_trio.config import Config
from exai_trio.errors import ServiceUnavailableError


@pytest.fixture
def held(tmp_path):
    """A home that some daemon holds."""
    (tmp_path / "state").mkdir()
    (tmp_path / "logs").mkdir()
    lock = os.open(tmp_path / "state" / "daemon.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    yield Config(home=tmp_path)
    os.close(lock)


async def test_where_none_runs_nothing_is_to_be_ended(tmp_path, said):
    """That is what was wanted."""
    assert 0 == await stop_daemon.run(Config(home=tmp_path), said.console())
    assert "no daemon runs" in said.out.getvalue()


@pytest.mark.parametrize("text", [None, "", "nobody\n", "1\n"])
async def test_a_process_that_is_no_daemon_of_ours_is_left_alone(held, text, autojump_clock):
    """The file may name one of another machine, or of before."""
    if text is not None:
        (held.logs / "ws_daemon.pid").write_text(text)

    with pytest.raises(ServiceUnavailableError):
        await home_daemon.end(held)


async def test_a_restart_that_would_lose_a_key_is_refused(held, said, daemon, autojump_clock):
    """Before anything is ended, naming what this shell has not."""
    daemon.health = {"providers": [{"name": "glm", "configured": True, "simulated": False}]}

    with pytest.raises(ServiceUnavailableError, match="GLM_API_KEY"):
        await restart_daemon.run(held, said.console(), dial=daemon.dial)


async def test_a_daemon_of_another_machine_is_not_restarted_from_here(tmp_path, said, daemon):
    """It would be started here."""
    config = Config(home=tmp_path, ws_host="10.0.0.9")

    with pytest.raises(ServiceUnavailableError, match="where it was started"):
        await restart_daemon.run(config, said.console(), dial=daemon.dial)
