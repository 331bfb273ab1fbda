"""The ports for health and pages, and how what answers there is loaded."""

import threading
from importlib import import_module

import pytest
import trio

from exai_trio.daemon.http import open_ports
from exai_trio.daemon.lifetime import watched_daemon

SITES = "exai_trio.daemon.http.ports"
SOCKETS = "exai_trio.transport.websocket_upgrade"
NOWHERE = {"health_check_port": 0, "monitoring_port": 0, "incidents_port": 0}


@pytest.mark.parametrize(
    ("port", "modules"), [("monitoring_port", {SITES, SOCKETS}), ("health_check_port", {SITES})]
)
async def test_what_answers_is_loaded_in_a_thread(house, monkeypatch, port, modules):
    """Nothing holds up the loop for an import, and nothing is loaded that does not serve."""
    threads = {}

    def load(name):
        threads[name] = threading.current_thread()
        return import_module(name)

    async def listeners(host, _number):
        return await trio.open_tcp_listeners(0, host=host)

    monkeypatch.setattr(open_ports, "import_module", load)
    monkeypatch.setattr(open_ports, "_listeners", listeners)
    async with house(**NOWHERE | {port: 1}) as daemon, trio.open_nursery() as background:
        watched, loaded = watched_daemon(daemon.parts, daemon.tree), trio.Event()
        await background.start(open_ports.open_ports, watched, daemon.server.names, loaded)
        await loaded.wait()
        background.cancel_scope.cancel()

    assert modules == threads.keys()
    assert threading.main_thread() not in threads.values()
