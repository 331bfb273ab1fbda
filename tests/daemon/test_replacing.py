"""A daemon that is to replace another makes the calls there wait for nothing that it could have done before."""

import pytest
import trio

from exai_trio.config import Config
from exai_trio.daemon import app
from exai_trio.providers.gateway import Gateway


class Asked(Exception):
    """The old daemon would leave now."""


async def test_a_successor_has_loaded_what_takes_long_before_it_asks_for_the_sockets(
    tmp_path, monkeypatch
):
    """The providers' library takes about a second, and every chat of that second would pay for it."""
    happened = []

    async def load(_gateway):
        await trio.lowlevel.checkpoint()
        happened.append("loaded")

    async def take_over(_config):
        await trio.lowlevel.checkpoint()
        happened.append("asked")
        raise Asked

    monkeypatch.setattr(Gateway, "load", load)
    monkeypatch.setattr(app, "take_over", take_over)
    config = Config(home=tmp_path, ws_port=0)
    with pytest.raises(Asked):
        await app.serve(config, replace=True)

    assert ["loaded", "asked"] == happened
