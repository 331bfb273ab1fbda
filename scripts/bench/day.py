"""What a day of 50 calls a second leaves on disk: the log of calls and the database, with the clock turned by hand."""

from collections.abc import Iterator
from pathlib import Path

import attrs
import trio

from exai_trio.storage.append_log.log import LoggedStore, open_call_log
from exai_trio.storage.journal import Journal, KeptCall, KeptOutcome, NoHandles
from exai_trio.storage.sqlite.store import open_sqlite

from .processes import home
from .report import Goal, Row

_MIB = 2**20
_PER_S, _DAY_S, _SWEEP_S = 50, 86_400, 300
_HANDLE_EACH = 1_000  # calls of which one is answered with a handle, and kept for 48 h
_SESSIONS = 20
_BODY = "x" * 1_000


@attrs.define
class _Sizes:
    """In bytes: the most that the log had, the database at half of the time and at the end."""

    log: int = 0
    half: int = 0
    database: int = 0


def day(*, quick: bool) -> Iterator[Row]:
    """24 h, or half an hour of it: each call is noted, ended and acknowledged as a shim does it, and the upkeep runs each second."""
    sizes = _Sizes()
    with home() as where:
        trio.run(_live, where / "exai.db", _DAY_S // (48 if quick else 1), sizes)
    calls = _DAY_S * _PER_S // (48 if quick else 1)
    yield Row(
        what=f"disk: the log of calls during {calls:,} calls, {_PER_S} a second, most",
        unit="MiB",
        ours=sizes.log / _MIB,
        goal=Goal("at most", 16),
    )
    yield Row(
        what="  the database after them (floor: after half of them)",
        unit="MiB",
        ours=sizes.database / _MIB,
        floor=sizes.half / _MIB,
        goal=Goal("at most", 64),
    )


async def _live(path: Path, seconds: int, sizes: _Sizes) -> None:
    async with open_sqlite(path) as store, open_call_log(path, store) as logged:
        for second in range(seconds):
            await _calls_of(second, logged.journal)
            await _upkeep(second, logged)
            sizes.log = max(sizes.log, logged.journal.appender.segments.length)
            if second == seconds // 2:
                sizes.half = _size(path)
    sizes.database = _size(path)


async def _calls_of(second: int, journal: Journal) -> None:
    for number in range(second * _PER_S, (second + 1) * _PER_S):
        call = _call(number, f"shim_{number % _SESSIONS:024x}", float(second))
        outcome = KeptOutcome(seq=number * 2 + 2, frame=_BODY, at=float(second))
        await journal.accept(call)
        if number % _HANDLE_EACH:
            await journal.finish(call.session, call.request, outcome)
        else:
            goes_on = attrs.evolve(call, session=f"call_{number:024x}")
            await journal.hand_over(call.session, call.request, outcome, goes_on)
            await journal.finish(goes_on.session, goes_on.request, outcome)


async def _upkeep(second: int, logged: LoggedStore) -> None:
    """As the daemon's jobs do it."""
    names = [f"shim_{number:024x}" for number in range(_SESSIONS)]
    acked = dict.fromkeys(names, (second + 1) * _PER_S * 2)
    sure = dict.fromkeys(names, NoHandles(second * _PER_S * 2))
    await logged.journal.acknowledge(acked, sure)
    await logged.keep_log_short()
    if second % _SWEEP_S == 0:
        await logged.journal.sweep_calls(float(second), 60.0)


def _call(number: int, session: str, at: float) -> KeptCall:
    return KeptCall(
        session=session,
        request=f'"r{number}"',
        principal="owner",
        resumable=True,
        seq=number * 2 + 1,
        frame=_BODY,
        roots=(),
        timeout=60.0,
        at=at,
        lasting=True,
    )


def _size(path: Path) -> int:
    return sum(
        one.stat().st_size
        for one in path.parent.glob(f"{path.name}*")
        if "calls-" not in one.name and "ballast" not in one.name
    )
