"""Real processes: daemons with their simulator, and old clients. Everything that is started ends with its fixture."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from free_ports import free_ports

sys.path.insert(0, str(Path(__file__).parent))

from stage.daemon import Daemon, started
from stage.fetching import fetch
from stage.old_client import raw_client
from stage.place import Place
from stage.waiting import PATIENCE_S, is_running, until


@pytest.fixture(scope="session")
def new_place(tmp_path_factory) -> Callable[..., Place]:
    """`new_place(EXAI_DRAIN_S="1")`: an empty home, free ports, and these settings."""

    def new(*, simulate: bool = False, http: bool = False, **settings: str) -> Place:
        port, health, pages = free_ports(3)
        web = {"health": health, "pages": pages} if http else {}
        if simulate:
            settings["EXAI_SIMULATE"] = "true"
        return Place(home=tmp_path_factory.mktemp("e2e"), port=port, settings=settings, **web)

    return new


@contextmanager
def _daemons() -> Iterator[Callable[..., Daemon]]:
    with ExitStack() as running:

        def start(place: Place, **more: str) -> Daemon:
            daemon = started(place, **more)
            running.callback(daemon.end)
            return daemon

        yield start


@pytest.fixture(name="until", scope="session")
def _until() -> Callable[..., Any]:
    """`await until(condition)`: what the condition gives, as soon as it is true."""
    return until


@pytest.fixture(name="fetch", scope="session")
def _fetch() -> Callable[..., Any]:
    """`await fetch(port, path, host=…)`: one GET."""
    return fetch


@pytest.fixture(name="raw_client", scope="session")
def _raw_client() -> Callable[..., Any]:
    """`async with raw_client(port, host=…)`: a WebSocket that has said nothing."""
    return raw_client


@pytest.fixture(name="is_running", scope="session")
def _is_running() -> Callable[[int], bool]:
    return is_running


@pytest.fixture
def start() -> Iterator[Callable[..., Daemon]]:
    """`start(place)`: a daemon for this test alone, ended after it."""
    with _daemons() as starting:
        yield starting


@pytest.fixture
def serving() -> Callable[..., Any]:
    """`with serving(place) as process:` a daemon that may say things on stderr; the context waits until it serves."""

    @contextmanager
    def serve(place: Place, **more: str) -> Iterator[subprocess.Popen[bytes]]:
        with place.start("serve", **more) as process:
            try:
                assert b"WebSocket ws://" in process.stdout.readline()
                yield process
            finally:
                process.terminate()
                process.communicate(timeout=PATIENCE_S)

    return serve


@pytest.fixture(scope="module")
def start_for_module() -> Iterator[Callable[..., Daemon]]:
    """The same for all tests of a module."""
    with _daemons() as starting:
        yield starting


@pytest.fixture(scope="session")
def daemon(new_place) -> Iterator[Daemon]:
    """The daemon that tests share: with a simulator, short grace, and room for many calls at once."""
    place = new_place(
        simulate=True,
        http=True,
        CIRCUIT_BREAKER_ENABLED="false",
        ENABLED_TOOLS="test_echo",
        EXAI_PROGRESS_INTERVAL_S="0.1",
        EXAI_SESSION_GRACE_S="0.5",
        EXAI_WS_GLOBAL_MAX_INFLIGHT="128",
        EXAI_WS_SESSION_MAX_INFLIGHT="32",
        EXAI_WS_GLM_MAX_INFLIGHT="64",
        EXAI_WS_KIMI_MAX_INFLIGHT="64",
    )
    with _daemons() as starting:
        running = starting(place)
        offspring = running.offspring()
        yield running
        running.end()
    assert [] == [pid for pid in offspring if is_running(pid)]
