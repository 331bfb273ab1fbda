"""The four servers as the simulator plays them, and servers that misbehave."""

from functools import partial

import pytest
import trio

from exai_trio.providers.local_servers import (
    detect as detect_module,
    known_models,
    look as look_module,
)
from exai_trio.providers.local_servers.addresses import Address
from exai_trio.simulator.local_models.local_site import Seen, serve_local
from exai_trio.simulator.local_models.server_bodies import USUAL


@pytest.fixture(autouse=True)
def patience(request, monkeypatch):
    """Real servers may take their time, on a machine that is busy; limits are tried on a clock that jumps."""
    if "autojump_clock" not in request.fixturenames:
        monkeypatch.setattr(look_module.look, "__kwdefaults__", {"list_s": 30.0})
        monkeypatch.setattr(look_module, "DETAILS_S", 30.0)
        monkeypatch.setattr(known_models, "FIRST_S", 30.0)
        monkeypatch.setattr(known_models, "LIST_S", 30.0)
        monkeypatch.setattr(detect_module, "MOST_S", 60.0)


@pytest.fixture
def served(nursery):
    """Serve one of the four, or a server that is given; where it is, and what was asked of it."""

    async def start(server):
        seen = Seen()
        given = USUAL[server] if isinstance(server, str) else server
        origin = await nursery.start(partial(serve_local, given, seen=seen))
        return Address("127.0.0.1", int(origin.rpartition(":")[2])), seen

    return start


@pytest.fixture
def raw(nursery):
    """A server that answers every request with these bytes and closes; None: it never answers. Where it is, and what it heard."""

    async def start(answer):
        heard = []

        async def talk(stream):
            async with stream:
                heard.append(await stream.receive_some(65_536))
                if answer is None:
                    await trio.sleep_forever()
                try:
                    await stream.send_all(answer)
                except trio.BrokenResourceError:
                    return

        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, talk, listeners)
        return Address("127.0.0.1", listeners[0].socket.getsockname()[1]), heard

    return start
