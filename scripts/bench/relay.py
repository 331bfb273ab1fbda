"""The shim and the way through shim and daemon, ours and the floor's by turns: start, memory, echoes."""

import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager

from .editor import Editor
from .pairs import IN_FLIGHT, ROOM, SIDES, Daemon, Side, both, our_daemon
from .processes import settled_weight
from .report import Goal, Row, median, percentile

_MIB = 1024 * 1024
PROMPT = ("The quick brown fox jumps over the lazy dog. " * 23)[:1024]
_LARGE = "0123456789abcdef" * 4096
Seconds = dict[Side, list[float]]


def _none() -> Seconds:
    return {side: [] for side in SIDES}


def _by_turns(rounds: int) -> Iterator[Side]:
    """Both sides in each round; who begins changes from round to round."""
    for number in range(rounds):
        yield from SIDES if number % 2 == 0 else reversed(SIDES)


def start(*, quick: bool) -> Iterator[Row]:
    """From the spawn of a shim to its first answers, with its daemon running and all code in the page cache."""
    initialized, listed, first_listed = _none(), _none(), _none()
    with both() as daemons:
        for side in SIDES:
            _timed_start(daemons[side])
        for side in _by_turns(3 if quick else 21):
            first, second = _timed_start(daemons[side])
            initialized[side].append(first)
            listed[side].append(second)
            with daemons[side].forgetful() as forgetful:
                first_listed[side].append(_timed_start(forgetful)[1])
    yield _start_row("shim: start to the answer of initialize, median", initialized, 1.3)
    yield _start_row("shim: start to the first tools/list, median", listed, 1.1)
    yield _start_row("  the same, the very first start of all", first_listed, 1.5)


def _start_row(what: str, seconds: Seconds, bound: float) -> Row:
    return Row(
        what=what,
        unit="ms",
        ours=median(seconds["ours"]) * 1000,
        floor=median(seconds["floor"]) * 1000,
        goal=Goal("at most", bound, of_floor=True),
    )


def _timed_start(daemon: Daemon) -> tuple[float, float]:
    began = time.perf_counter()
    with daemon.editor() as editor:
        editor.greet()
        initialized = time.perf_counter() - began
        editor.list_tools()
        return initialized, time.perf_counter() - began


def memory(*, quick: bool) -> Iterator[Row]:
    """What a shim holds when it has connected, served one call, and waits; and what is left of large answers. Always as thorough as
    this."""
    del quick
    with both() as daemons:
        first = _idle_weights(daemons)
        later = _idle_weights(daemons)
        after = {side: _weight_after(daemons[side], 400, _LARGE) for side in SIDES}
    yield _memory_row("shim: resident memory idle", later, 32)
    yield _memory_row("  the same, the very first start of all", first, 32)
    yield _memory_row(f"  after 400 answers of 64 KiB, {IN_FLIGHT} in flight", after, 38)


def _memory_row(what: str, weights: dict[Side, int], most: float) -> Row:
    return Row(
        what=what,
        unit="MiB",
        ours=weights["ours"] / _MIB,
        floor=weights["floor"] / _MIB,
        goal=Goal("at most", most),
    )


def _weight_after(daemon: Daemon, calls: int, prompt: str) -> int:
    with daemon.connected_editor(PROMPT) as editor:
        editor.flood(calls, IN_FLIGHT, prompt)
        time.sleep(1.5)  # it looks once a second at what it holds
        return settled_weight(editor.process.pid).resident


def _idle_weights(daemons: dict[Side, Daemon]) -> dict[Side, int]:
    return {side: _idle_weight(daemon) for side, daemon in daemons.items()}


def _idle_weight(daemon: Daemon) -> int:
    with daemon.connected_editor(PROMPT) as editor:
        return settled_weight(editor.process.pid).resident


def echo(*, quick: bool) -> Iterator[Row]:
    """test_echo, one call after another."""
    blocks, calls = (10, 20) if quick else (80, 50)
    with both() as daemons, _editors(daemons) as editors:
        seconds = _none()
        for side in _by_turns(blocks):
            seconds[side] += editors[side].timed_calls(calls, PROMPT)
    for percent, bound in ((50, 1.5), (99, 2.0)):
        yield Row(
            what=f"echo through shim and daemon, 1 KiB: p{percent}",
            unit="ms",
            ours=percentile(seconds["ours"], percent) * 1000,
            floor=percentile(seconds["floor"], percent) * 1000,
            goal=Goal("at most", bound, of_floor=True),
        )


def load(*, quick: bool) -> Iterator[Row]:
    """test_echo with 64 calls in flight, small and large."""
    with both() as daemons, _editors(daemons) as editors:
        for size, prompt, calls in (("1 KiB", PROMPT, 2000), ("64 KiB", _LARGE, 400)):
            rates = _rates(editors, prompt, 2 if quick else 8, calls // 4 if quick else calls)
            yield Row(
                what=f"echo, {IN_FLIGHT} in flight, {size}: calls per second, median",
                unit="/s",
                ours=median(rates["ours"]),
                floor=median(rates["floor"]),
                goal=Goal("at least", 0.7, of_floor=True),
            )


def journal(*, quick: bool) -> Iterator[Row]:
    """What it costs that each call and its outcome are on disk: two daemons of ours, by turns."""
    with our_daemon(**ROOM) as kept, our_daemon(EXAI_DURABILITY="off", **ROOM) as not_kept:
        daemons: dict[Side, Daemon] = {"ours": kept, "floor": not_kept}
        with _editors(daemons) as editors:
            yield _journalled_echo(editors, *((10, 20) if quick else (80, 50)))
            for size, prompt, calls, share in (
                ("1 KiB", PROMPT, 2000, 0.75),
                ("64 KiB", _LARGE, 400, 0.85),
            ):
                rates = _rates(editors, prompt, 4 if quick else 12, calls // 2 if quick else calls)
                yield Row(
                    what=f"journal: echo, {IN_FLIGHT} in flight, {size}: calls per second with it, without it as floor",
                    unit="/s",
                    ours=median(rates["ours"]),
                    floor=median(rates["floor"]),
                    goal=Goal("at least", share, of_floor=True),
                )


def _journalled_echo(editors: dict[Side, Editor], blocks: int, calls: int) -> Row:
    seconds = _none()
    for side in _by_turns(blocks):
        seconds[side] += editors[side].timed_calls(calls, PROMPT)
    return Row(
        what="journal (EXAI_DURABILITY=process): echo p50 with it, without it as floor",
        unit="ms",
        ours=percentile(seconds["ours"], 50) * 1000,
        floor=percentile(seconds["floor"], 50) * 1000,
        goal=Goal("at most", 1.1, of_floor=True),
    )


@contextmanager
def _editors(daemons: dict[Side, Daemon]) -> Generator[dict[Side, Editor]]:
    """A connected editor on each side."""
    with ExitStack() as stack:
        yield {side: stack.enter_context(daemons[side].connected_editor(PROMPT)) for side in SIDES}


def _rates(editors: dict[Side, Editor], prompt: str, rounds: int, calls: int) -> Seconds:
    rates = _none()
    for side in SIDES:
        editors[side].flood(calls // 4, IN_FLIGHT, prompt)
    for side in _by_turns(rounds):
        rates[side].append(calls / editors[side].flood(calls, IN_FLIGHT, prompt))
    return rates
