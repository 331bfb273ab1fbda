"""How faults are told apart, and what explaining one takes besides the model's answer."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import trio
from incidents.injected import corpus
from incidents.judging import judge

from exai_trio.config import Config
from exai_trio.daemon.jobs.investigating import Investigating
from exai_trio.providers.own_questions import Asked, Said
from exai_trio.simulator.chat.scripted_answers import scripted_answer
from exai_trio.storage.sqlite.store import open_sqlite
from exai_trio.storage.sqlite.watching.incident_rows import SqliteIncidents
from exai_trio.storage.sqlite.watching.investigation_rows import SqliteInvestigations
from exai_trio.storage.watching.incident_records import Occurrence

from ..processes import NotMeasured, home
from ..report import Goal, Row


def detection(*, quick: bool) -> Iterator[Row]:
    """The corpus, each fault in so many variants."""
    variants = 4 if quick else 50
    logging.getLogger("exai").propagate = False
    faults = corpus()
    with home() as where:
        verdict = judge(faults, variants, Path(where))
    yield Row(what=f"{len(faults)} faults × {variants}: detected", unit="%", ours=100 * verdict.detected / verdict.expected, goal=Goal("at least", 100))  # fmt: skip
    yield Row(what="  wrong merges", unit="%", ours=100 * verdict.merged / verdict.told, goal=Goal("at most", 0.5))  # fmt: skip
    yield Row(what="  wrong splits", unit="%", ours=100 * verdict.split / verdict.told, goal=Goal("at most", 2))  # fmt: skip


def investigation(*, quick: bool) -> Iterator[Row]:
    """From a waiting incident to a stored result, of which the model's answer takes nothing."""
    del quick
    took = trio.run(_explained)
    yield Row(what="investigation, our own part", unit="ms", ours=took * 1000, goal=Goal("at most", 1000))  # fmt: skip


async def _explained() -> float:
    seen = Occurrence(
        error_hash="1-abcdef0123456789abcdef01", kind="bug", severity="high", error_type="KeyError", message="…", version="1.0.0",
        first_at=100.0, last_at=100.0,
        context={"trace": "  exai_trio.a:1 in f\n    x[1]\nKeyError: …", "log": ["a line"] * 40, "logger": "exai.calls", "phrase": "call crashed"},
    )  # fmt: skip
    with home() as where:
        async with open_sqlite(where / "exai.db") as store:
            incidents = SqliteIncidents(store)
            await incidents.note([seen])
            job = Investigating(Config(investigate=True, investigator_tokens_day=10_000), incidents, SqliteInvestigations(store), _answer, time.time)  # fmt: skip
            began = time.perf_counter()
            await job.investigate()
            took = time.perf_counter() - began
            (incident,) = await incidents.newest(1)
    if incident.state != "done":
        raise NotMeasured(f"the incident is {incident.state}")
    return took


async def _answer(asked: Asked) -> Said:
    await trio.lowlevel.checkpoint()
    return Said(text=scripted_answer(asked.user), model="none", tokens=1, cost=0.0)
