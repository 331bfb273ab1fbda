"""Who hears of an alert, and what of it outlives the daemon."""

import attrs
import pytest
import trio
from database_in_memory import MemoryDatabase

from exai_trio.errors import StorageError
from exai_trio.monitoring.alerts.alert_rules import GIB, RULES
from exai_trio.monitoring.alerts.alert_state import AlertStates
from exai_trio.monitoring.alerts.alerts import Alerts
from exai_trio.monitoring.alerts.rule_inputs import RuleInputs
from exai_trio.monitoring.alerts.webhook import Webhook
from exai_trio.storage.sqlite.watching.alert_rows import SqliteAlerts

START = 1e9


@attrs.define
class World:
    """A daemon's alerts, whose figures a test sets; `troubles` are those of now."""

    store: object
    figures: dict = attrs.field(factory=dict)
    troubles: dict = attrs.field(factory=dict)
    heard: list = attrs.field(factory=list)
    now: float = START
    alerts: Alerts | None = None

    def __attrs_post_init__(self):
        self.alerts = Alerts(
            AlertStates(RULES), self.store, self.read, lambda: self.now, self.trouble,
            notify=lambda moved: self.heard.append((moved.name, moved.to)),
        )  # fmt: skip

    def read(self):
        return RuleInputs(at=self.now - START, uptime_s=self.now - START, **self.figures)

    def trouble(self, name, text):
        if text is None:
            self.troubles.pop(name, None)
        else:
            self.troubles[name] = text

    async def look(self, **figures):
        self.figures = figures
        self.now += 5
        await self.alerts.look_at_alerts()


FULL = {"disk_free": 1, "disk_size": 100 * GIB}
ROOM = {"disk_free": 50 * GIB, "disk_size": 100 * GIB}


@pytest.fixture
def store():
    return SqliteAlerts(MemoryDatabase())


async def test_what_is_high_is_a_trouble_and_everybody_hears_once(store):
    world = World(store)
    await world.look(**FULL)
    await world.look(**FULL)
    assert ["alert disk"] == list(world.troubles)
    assert ["disk"] == [each.name for each in (await store.kept(world.now)).firing]
    await world.look(**ROOM)

    assert [("disk", "firing"), ("disk", "clear")] == world.heard
    assert {} == world.troubles
    assert () == (await store.kept(world.now)).firing


async def test_a_silenced_one_troubles_nobody_until_its_time_is_over(store):
    """Also when another process has silenced it."""
    world = World(store)
    await world.look(**FULL)
    await store.silence("disk", world.now + 60, "owner")
    await world.look(**FULL)
    assert ({}, True) == (world.troubles, world.alerts.told()[0]["silenced"])
    await world.look(**ROOM)
    await world.look(**FULL)
    assert [("disk", "firing")] == world.heard
    world.now += 60
    await world.look(**FULL)

    assert ["alert disk"] == list(world.troubles)
    await world.alerts.silence("disk", 60, "owner")
    assert {} == world.troubles


async def test_after_a_restart_it_fires_on_and_is_not_told_again(store):
    before = World(store)
    await before.look(**FULL)
    after = World(store, now=START + 1000)
    await after.look(**FULL)

    assert ([], ["alert disk"]) == (after.heard, list(after.troubles))
    assert before.alerts.told()[0]["since"] == after.alerts.told()[0]["since"]


@attrs.define
class Refusing:
    store: object
    refuses: bool = False

    async def kept(self, now):
        return await self.store.kept(now)

    async def move(self, firing, cleared):
        if self.refuses:
            raise StorageError("The disk is full.")
        await self.store.move(firing, cleared)


async def test_a_store_that_refuses_keeps_nobody_from_hearing_and_is_told_later(store):
    refusing = Refusing(store)
    world = World(refusing)
    await world.look(**ROOM)
    refusing.refuses = True
    with pytest.raises(StorageError):
        await world.look(**FULL)
    assert [("disk", "firing")] == world.heard
    refusing.refuses = False
    await world.look(**FULL)

    assert ["disk"] == [each.name for each in (await store.kept(world.now)).firing]


@attrs.define
class Receiver:
    """A webhook that answers what a test says; a float is how long it says nothing."""

    answers: list
    told: list = attrs.field(factory=list)

    async def post(self, _url, message):
        self.told.append(message)
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, float):
            await trio.sleep(answer)
            return 200
        return answer


@pytest.mark.parametrize(
    ("answers", "tries", "most_s"),
    [
        ([200], 1, 0),
        ([500, 204], 2, 1),
        ([302, 302, 302], 3, 3),
        ([60.0, 60.0, 60.0], 3, 18),
        ([OSError("refused"), ValueError("bad"), 500], 3, 3),
    ],
)
async def test_a_webhook_that_hangs_redirects_or_fails_does_no_harm(
    answers, tries, most_s, autojump_clock, store
):
    receiver = Receiver(list(answers))
    webhook = Webhook("https://hook/secret", receiver.post, lambda: START)
    world = World(store)
    world.alerts.notify = webhook.note
    await world.look(**FULL)
    began = trio.current_time()
    await webhook.send_alerts()

    assert (tries, tries == 3) == (len(receiver.told), bool(webhook.failed))
    assert trio.current_time() - began <= most_s
    assert receiver.told[0]["text"].startswith("EXAI: high alert disk fires: less than 1 GiB")
    assert "secret" not in repr(webhook)
