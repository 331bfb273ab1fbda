"""The auditor asks when something has happened, and keeps what rests on figures that it was shown."""

import json
from itertools import pairwise

import attrs
import pytest
import trio
from database_in_memory import MemoryDatabase

from exai_trio.errors import NotFoundError, ProviderBusyError
from exai_trio.monitoring.auditor.auditor import Auditor, Seen
from exai_trio.monitoring.auditor.observations import observations
from exai_trio.monitoring.auditor.pass_rules import PassRules
from exai_trio.providers.own_questions import Said
from exai_trio.simulator.chat.scripted_answers import scripted_answer
from exai_trio.storage.sqlite.watching.observation_rows import SqliteObservations

DAY_S = 86_400
MINUTE_S = 60


@attrs.define
class World:
    """A daemon by the virtual clock: so many calls a minute, looked at each minute."""

    per_minute: float = 0.0
    fails: bool = False
    free: bool = True
    tokens_day: int = 0
    alerts: int = 0
    calls: float = 0.0
    asked: list = attrs.field(factory=list)
    store: SqliteObservations = attrs.field(factory=lambda: SqliteObservations(MemoryDatabase()))
    auditor: Auditor | None = None

    def __attrs_post_init__(self):
        self.auditor = Auditor(
            store=self.store, ask=self.ask, is_free=self.is_free, look=self.look, now=self.now, model="m",
            tokens_day=self.tokens_day, rules=PassRules(trio.current_time()),
        )  # fmt: skip

    def now(self):
        return 1e9 + trio.current_time()

    def is_free(self, _model):
        if self.free is None:
            raise NotFoundError("no such model")
        return self.free

    def look(self):
        return Seen(calls=int(self.calls), alerts=self.alerts, figures={"calls": int(self.calls)})

    async def ask(self, asked):
        self.asked.append((trio.current_time(), asked))
        if self.fails:
            raise ProviderBusyError("busy")
        return Said(text=scripted_answer(asked.user), model="m", tokens=100, cost=0.0)

    async def live(self, seconds):
        for _ in range(int(seconds / MINUTE_S)):
            await trio.sleep(MINUTE_S)
            self.calls += self.per_minute
            await self.auditor.audit()


async def test_an_idle_day_makes_no_request(autojump_clock):
    world = World(per_minute=19 / 1440)
    await world.live(DAY_S)

    assert [] == world.asked


async def test_a_busy_day_makes_twelve_the_first_after_five_minutes(autojump_clock):
    """At least five minutes lie between two; what is said of the same figures is kept once a day."""
    world = World(per_minute=100)
    began = trio.current_time()
    await world.live(DAY_S)
    times = [at - began for at, _ in world.asked]

    assert 12 == len(times)
    assert times[0] >= 300
    assert min(b - a for a, b in pairwise(times)) >= 300
    assert 1 == len(await world.store.newest(99))
    await world.live(DAY_S)
    assert 2 == len(await world.store.newest(99))


async def test_a_new_alert_is_reason_enough(autojump_clock):
    world = World()
    await world.live(600)
    world.alerts += 1
    await world.live(600)

    assert 1 == len(world.asked)


async def test_three_faults_rest_it_for_an_hour(autojump_clock):
    world = World(per_minute=100, fails=True)
    began = trio.current_time()
    await world.live(6 * 3600)
    times = [at - began for at, _ in world.asked]

    assert [300, 600, 900, 4500] == times[:4]
    assert len(times) <= 12


@pytest.mark.parametrize(("free", "tokens_day", "asks"), [(False, 0, 0), (None, 0, 0), (False, 150, 2), (True, 0, 12)])  # fmt: skip
async def test_only_a_free_model_is_asked_unless_tokens_are_allowed(
    free, tokens_day, asks, autojump_clock
):
    world = World(per_minute=100, free=free, tokens_day=tokens_day)
    await world.live(2 * 3600)

    assert asks == len(world.asked)


async def test_an_observation_is_acknowledged_and_kept_for_30_days(autojump_clock):
    world = World(per_minute=100)
    await world.live(600)
    (first,) = await world.store.newest(9)
    assert await world.store.acknowledge(first.id, "owner")
    assert not await world.store.acknowledge("none", "owner")
    assert (True, {"calls": first.figures["calls"]}) == ((await world.store.newest(9))[0].acknowledged, first.figures)  # fmt: skip
    await world.store.add([], 0, world.now() + 31 * DAY_S)
    assert () == await world.store.newest(9)


FIGURES = {"calls": 3, "errors": 1}


def said(**fields):
    one = {"severity": "warning", "category": "quality", "text": "t", "figures": ["calls"]}
    return json.dumps({"observations": [one | fields]})


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (said(), ("warning", "quality", ["calls"])),
        (f"Here:\n```json\n{said()}\n```", ("warning", "quality", ["calls"])),
        (said(figures=["calls", "invented"]), ("warning", "quality", ["calls"])),
        (said(severity="DIRE", category=3), ("info", "general", ["calls"])),
        (said(figures=["invented"]), None),
        (said(figures="calls"), None),
        (said(text=" "), None),
        (json.dumps({"observations": ["x", 3]}), None),
    ],
)
def test_what_rests_on_no_figure_that_was_shown_is_dropped(text, kept):
    found = [(o.severity, o.category, list(o.figures)) for o in observations(text, FIGURES, 1e9)]
    assert ([] if kept is None else [kept]) == found


def test_prose_is_no_answer():
    assert None is observations("All is well.", FIGURES, 1e9)
