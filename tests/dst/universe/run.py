"""Universes run: each from its seed, to the same last event in whatever process."""

import hashlib
import random
from collections.abc import Generator
from contextlib import contextmanager

import attrs
import trio
from trio.testing import MockClock

from exai_trio.daemon.calls import large_outcomes
from exai_trio.storage.append_log import journal

from .story import Universe


@attrs.frozen(kw_only=True)
class Report:
    """What came of a universe. `digest` stands for the whole trace."""

    seed: int
    faults: list
    tally: dict
    lives: int
    digest: str
    trace: list


def simulate(seed: int, hours: float, sought: str = "") -> Report:
    """Run one universe, no longer than until the fault that is sought is found. The same seed gives the same trace, in whatever
    process."""
    universe = Universe(seed, hours, sought)
    with one_order(seed), _no_thread(), _longest_log(universe.kind.longest_log):
        try:
            trio.run(universe.run, clock=MockClock(autojump_threshold=0))
        except Exception as fault:  # whatever falls over is a finding
            universe.oracle.faults.append(f"the universe fell over: {_leaves(fault)}")
    digest = hashlib.sha256("\n".join(universe.trace).encode()).hexdigest()
    oracle = universe.oracle
    return Report(
        seed=seed,
        faults=oracle.faults,
        tally=oracle.tally,
        lives=universe.house.lives,
        digest=digest,
        trace=universe.trace,
    )


def _leaves(fault: BaseException) -> list[str]:
    if isinstance(fault, BaseExceptionGroup):
        return [leaf for inner in fault.exceptions for leaf in _leaves(inner)]
    return [repr(fault)]


@contextmanager
def _no_thread() -> Generator[None]:
    """An answer that no frame holds would be written by a thread, on a clock of its own: that it is kept is only said."""
    original = large_outcomes.in_file
    large_outcomes.in_file = _said_to_be_kept
    try:
        yield
    finally:
        large_outcomes.in_file = original


async def _said_to_be_kept(path, _text, _limiter) -> str:
    await trio.lowlevel.checkpoint()
    return f"All of it is in {path}"


@contextmanager
def _longest_log(most: int) -> Generator[None]:
    original, journal.LONGEST_LOG = journal.LONGEST_LOG, most
    try:
        yield
    finally:
        journal.LONGEST_LOG = original


@contextmanager
def one_order(seed: int) -> Generator[None]:
    """Trio's scheduler and everybody's dice follow the seed, as they do under Hypothesis."""
    core = trio._core._run
    before, dice = random.getstate(), core._r.getstate()
    deterministic = core._ALLOW_DETERMINISTIC_SCHEDULING
    random.seed(seed)
    core._r.seed(seed)
    core._ALLOW_DETERMINISTIC_SCHEDULING = True
    try:
        yield
    finally:
        core._ALLOW_DETERMINISTIC_SCHEDULING = deterministic
        core._r.setstate(dice)
        random.setstate(before)
