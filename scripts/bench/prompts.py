"""What goes into prompts: reading and budgeting files off the event loop, and putting a long history together."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import trio

from exai_trio.storage.base import Turn
from exai_trio.tools import prompts
from exai_trio.workspace.read import FileReader

from .chats import FILES, write_files
from .processes import home
from .report import Goal, Row, median, percentile

_TURNS: Final = 200
_WINDOW, _SMALL_WINDOW = 1_000_000, 32_000  # tokens


def files(*, quick: bool) -> Iterator[Row]:
    """Files of a directory, and how late other tasks are meanwhile; the floor reads the same bytes and nothing else."""
    with home() as where:
        root = where.resolve() / "root"
        write_files(root)
        mine, late = trio.run(_read, root, 5 if quick else 20)
        theirs = [_bare(root) for _ in mine]
    yield Row(
        what=f"read and budget {FILES} files of 10 KB, p50",
        unit="ms",
        ours=median(mine) * 1000,
        floor=median(theirs) * 1000,
        goal=Goal("at most", 150),
    )
    yield Row(
        what="  the same: how late another task of the event loop is, p99",
        unit="ms",
        ours=percentile(late, 99) * 1000,
        goal=Goal("at most", 20),
    )


async def _read(root: Path, rounds: int) -> tuple[list[float], list[float]]:
    seconds: list[float] = []
    late: list[float] = []
    async with trio.open_nursery() as running:
        running.start_soon(_tick, late)
        for _ in range(rounds):
            began = time.perf_counter()
            found = await FileReader().read([str(root)], (root,))
            paths = [reading.path for reading in found]
            room = prompts.Room(context_window=_WINDOW)
            room.fit({reading.path: reading for reading in found}, [paths])
            seconds.append(time.perf_counter() - began)
        running.cancel_scope.cancel(reason="measured")
    return seconds, late


async def _tick(late: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await trio.sleep(0.002)
        late.append(time.perf_counter() - began - 0.002)


def _bare(root: Path) -> float:
    began = time.perf_counter()
    for path in root.rglob("*.py"):
        path.read_text()
    return time.perf_counter() - began


def history(*, quick: bool) -> Iterator[Row]:
    """A conversation of 200 turns as the messages of one request, all of it and what fits; the floor joins the same texts."""
    turns = [
        Turn(role=role, text=f"{number} " + "what was said in this turn " * 40, tool="chat", at=1.0)
        for number in range(_TURNS // 2)
        for role in ("user", "assistant")
    ]
    rounds = range(20 if quick else 100)
    windows = {"assembled, p50": _WINDOW, "cut to a small window, p50": _SMALL_WINDOW}
    for how, window in windows.items():
        yield Row(
            what=f"history of {_TURNS} turns {how}",
            unit="ms",
            ours=median([_assembled(turns, window) for _ in rounds]) * 1000,
            floor=median([_joined(turns) for _ in rounds]) * 1000,
            goal=Goal("at most", 10),
        )


def _assembled(turns: list[Turn], window: int) -> float:
    began = time.perf_counter()
    prompts.assemble(
        system="You help.",
        turns=turns,
        question=prompts.Question(text="and now?"),
        material=prompts.Material(),
        answering="glm/glm-4.6",
        room=prompts.Room(context_window=window),
    )
    return time.perf_counter() - began


def _joined(turns: list[Turn]) -> float:
    began = time.perf_counter()
    "\n".join(turn.text for turn in turns)
    return time.perf_counter() - began
