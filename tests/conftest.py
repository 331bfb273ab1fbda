"""Fixtures and instruments that every layer's tests share."""

import ast
import gc
import inspect
import re
import resource
import signal
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import trio
from hypothesis import settings

# For the tests of every layer: the stores that forget, and ports.
sys.path.insert(0, str(Path(__file__).parent / "storage"))
sys.path.insert(0, str(Path(__file__).parent / "shared"))

from free_ports import free_port

Scenario = Callable[[], Awaitable[None]]
SweepRunner = Callable[..., Awaitable[int]]

# How long an example takes says how busy the machine is, and nothing of the example. What is run again and again while one
# works looks at fewer of them; they are others each time.
settings.register_profile("exai", deadline=None)
settings.register_profile("fast", deadline=None, max_examples=40)
_FAST = "not real"

_ALL_REAL = re.compile(
    r"^pytestmark = (pytest\.mark\.real|\[[^]]*pytest\.mark\.real)", re.MULTILINE
)


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("fast" if config.option.markexpr == _FAST else "exai")
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a shell ignores it for what runs in its background, and so would our children


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Whether a module need not be imported: `-m "not real"` leaves out all of its tests."""
    if config.option.markexpr != _FAST or not collection_path.match("test_*.py"):
        return None
    return bool(_ALL_REAL.search(collection_path.read_text(encoding="utf-8"))) or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A clock that only a fixture asks for is not the test's: it would wait in real time."""
    timed = (one for one in items if "autojump_clock" in getattr(one, "fixturenames", ()))
    for item in timed:
        if "autojump_clock" not in inspect.signature(item.obj).parameters:
            raise pytest.UsageError(f"{item.nodeid} must take autojump_clock itself")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Nobody asks a report for its keywords, and each worker would send them three times a test."""
    report = yield
    report.keywords = {}
    return report


@contextmanager
def _no_garbage() -> Generator[None]:
    """What is made in this block stays: nobody looks through it for garbage meanwhile."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Thousands of tests are made, none of which is garbage before the end."""
    with _no_garbage():
        collected = yield
        gc.freeze()
    return collected


class Source(NamedTuple):
    """A module of the package: its path from `exai_trio/` on."""

    path: Path
    text: str
    tree: ast.Module


@pytest.fixture(scope="session")
def sources() -> list[Source]:
    """Every module of the package, parsed once for all that look through them."""
    package = Path(__file__).parent.parent / "exai_trio"
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(package.rglob("*.py"))}
    with _no_garbage():
        return [
            Source(path.relative_to(package), text, ast.parse(text)) for path, text in texts.items()
        ]


class CancelAtStep(trio.abc.Instrument):
    """Cancels `scope` after the given number of scheduler steps."""

    def __init__(self, scope: trio.CancelScope, step: int) -> None:
        self._scope = scope
        self._left = step

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self._left -= 1
        if self._left == 0:
            self._scope.cancel(reason="the sweep")


async def _sweep(scenario: Scenario, invariant: Callable[[], None], most: int = 2000) -> int:
    for step in range(1, most):
        with trio.fail_after(60), trio.CancelScope() as scope:
            instrument = CancelAtStep(scope, step)
            trio.lowlevel.add_instrument(instrument)
            try:
                await scenario()
            finally:
                trio.lowlevel.remove_instrument(instrument)
        invariant()
        if not scope.cancelled_caught:
            return step
    raise AssertionError(f"the scenario did not end within {most} steps")


@pytest.fixture
def cancel_at_every_step() -> SweepRunner:
    """Run `scenario` again and again, cancelled at its 1st, 2nd, … nth scheduler step, and check `invariant` each time.

    Returns how many steps the whole scenario takes.
    """
    return _sweep


@pytest.fixture
def unused_tcp_port() -> int:
    """A loopback port on which nobody listens."""
    return free_port()


@pytest.fixture
def no_file_over():
    """`with no_file_over(100):` as on a full disk, a write gets as far as there is room, and the next one fails."""

    @contextmanager
    def limited(size):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limited
