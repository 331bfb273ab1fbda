"""Ports that stay free between our look and the bind of whoever is told them, which may be seconds or minutes later."""

import os
import secrets
import socket

# Below those that the system gives to outgoing connections, and to whoever asks for any: none of them comes to stand on one of ours,
# neither before its daemon begins nor while that is down.
_LOWEST, _COUNT = 12_000, 20_000
_WORKERS = 16
_given: set[int] = set()


def free_port() -> int:
    """A loopback port on which nobody listens, and which nobody else is told: each worker of the suite has its own."""
    own = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    while True:
        port = _LOWEST + _WORKERS * secrets.randbelow(_COUNT // _WORKERS) + own
        if port not in _given and _is_free(port):
            _given.add(port)
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    return [free_port() for _ in range(count)]
