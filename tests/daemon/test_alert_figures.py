"""What happens in a daemon reaches its alerts: events and meters in, troubles out."""

import json
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import attrs
import pytest
import trio
from database_in_memory import MemoryDatabase
from msgspec.structs import replace

from exai_trio.config import Config
from exai_trio.daemon.backends import Models
from exai_trio.daemon.jobs.watching import Watching
from exai_trio.incidents.capture import capturing
from exai_trio.observability.events import (
    AlertMoved,
    ConnectionOpened,
    HelloRefused,
    IncidentSeen,
    JobRan,
    RequestEnded,
)
from exai_trio.providers.base import Usage
from exai_trio.simulator.chat.scripted_answers import scripted_answer
from exai_trio.storage.sqlite.watching.stores_in_file import stores_in
from exai_trio.wire.messages import CallFailed, CallTool


@pytest.fixture
def watched(house, tmp_path):
    """`async with watched() as (daemon, watching, look):` `look(s)` lets alerts look for so many seconds."""

    @asynccontextmanager
    async def opened(**settings):
        with capturing(Config(home=tmp_path), "daemon") as capture, capture.keeping():
            async with house(**settings) as daemon:
                watching = Watching.of(daemon.report, stores_in(MemoryDatabase()), capture)

                async def look(seconds):
                    for _ in range(int(seconds / 5)):
                        await trio.sleep(5)
                        await watching.alerts.look_at_alerts()
                        await watching.incidents.flush_incidents()

                await look(10)
                yield daemon, watching, look

    return opened


def request(outcome):
    return RequestEnded(
        provider="glm", model="glm-4.6", outcome=outcome, permit_wait_s=0.0, duration_s=1.0
    )


CASES = {
    "auth": ([HelloRefused(error="unauthorized")] * 20, ""),
    "reconnect_storm": ([ConnectionOpened(kind="session", session="s1")] * 11, "943a702d"),
    "provider_down": ([request("auth")], "glm"),
}


@pytest.mark.parametrize("name", CASES)
async def test_what_happens_fires_its_alert(watched, name, autojump_clock):
    events, _ = CASES[name]
    async with watched() as (daemon, watching, look):
        heard = []
        daemon.context.events.add("test", {AlertMoved: heard.append})
        for event in events[:-1]:
            daemon.context.events.publish(event)
        await look(5)
        before = list(heard)
        daemon.context.events.publish(events[-1])
        await look(5)
        troubles = daemon.report.health()["troubles"]

    assert [] == before
    assert (name, True) in [(each.alert, each.firing) for each in heard]
    assert any(f"alert {name}" in text for text in troubles) is (name != "auth")
    assert name in [each["name"] for each in watching.alerts.told()]


async def test_a_provider_that_takes_the_key_again_is_down_no_longer(watched, autojump_clock):
    async with watched() as (daemon, _, look):
        daemon.context.events.publish(request("auth"))
        await look(5)
        daemon.context.events.publish(request("ok"))
        await look(5)
        assert "healthy" == daemon.report.status


async def test_failing_calls_fire_the_error_rate_and_bugs_become_incidents(watched, autojump_clock):
    """What clients did wrong does neither. Each incident is an event, and its figures are aggregates."""
    async with watched() as (daemon, watching, look), daemon.connect() as (client, _):
        seen = []
        daemon.context.events.add("test", {IncidentSeen: seen.append})
        for number in range(100):
            await client.nap(f"r{number}", fault="boom" if number < 2 else "", seconds=0.0)
            await trio.sleep(0.2)
        await look(10)
        firing = {each["name"] for each in watching.alerts.told()}
        incident, trouble = sorted(await watching.stores.incidents.newest(9), key=lambda i: i.kind)
        metrics = daemon.report.meters.snapshot(
            "alerts_firing", "incidents_open", "incidents_total"
        )

    assert {"error_rate", "incident"} <= firing
    assert [("bug", "new")] == [(each.kind, each.news) for each in seen][:1]
    assert ("ValueError", 2) == (incident.error_type, incident.occurrence_count)
    assert 100 >= incident.context["figures"]["calls"]
    assert ("world", "trouble: alert error_rate") == (trouble.kind, trouble.message)
    assert (2, 3) == (metrics.total("incidents_open"), metrics.total("incidents_total"))
    assert 1 == metrics.total("alerts_firing", alert="error_rate")


@attrs.define
class FreeModel:
    """A gateway to it, which keeps what it is asked."""

    silent: object
    asked: list = attrs.field(factory=list)

    def __getattr__(self, name):
        return getattr(self.silent, name)

    def choose(self, name):
        free = SimpleNamespace(input=0, output=0)
        return SimpleNamespace(provider="glm", model=SimpleNamespace(name=name, price=free))

    async def chat(self, choice, request, _listener):
        await trio.lowlevel.checkpoint()
        self.asked.append(request)
        said = scripted_answer(request.messages[-1].text)
        return SimpleNamespace(text=said, usage=Usage(), model_used=choice.model.name, cost=0.0)


async def test_the_auditors_model_is_told_no_name_no_text_and_no_key(
    watched, silent_gateway, autojump_clock
):
    """Of clients, sessions, tools that there are not, prompts, faults, paths, providers, jobs and troubles."""
    model = FreeModel(silent_gateway)
    hidden = {"home": Path("/nowhere/canary"), "ws_token": "canary-token", "glm_api_key": "canary-key"}  # fmt: skip
    hello = {"token": "canary-token", "session_id": "canary", "client_name": "canary", "roots": ["/canary"]}  # fmt: skip
    backends = {"models": Models(gateway=model)}
    async with watched(auditor_enabled=True, backends=backends, **hidden) as (daemon, watching, look), daemon.connect(**hello) as (client, _):  # fmt: skip
        for number in range(20):
            await client.nap(f"canary{number}", stages=["canary"], fault="canary of a file")
            await client.hear_until(CallFailed)
        await client.say(CallTool(request_id="r", name="canary", arguments={"prompt": "canary"}))
        await client.hear_until(CallFailed)
        daemon.context.events.publish(replace(request("auth"), provider="canary", model="canary"))
        daemon.context.events.publish(JobRan(job="canary", result="gave up", duration_s=0.0, fault="canary"))  # fmt: skip
        daemon.report.problems.note("canary", "canary")
        await look(300)
        await watching.auditor.audit()
        shown = str(watching.alerts.told())

    (asked,) = model.asked
    told = json.loads(asked.messages[-1].text)
    assert "canary" not in repr(asked)
    assert "canary" in shown
    assert {"incident", "job", "provider_down"} <= set(told["alerts"])
    assert 20 == told["figures"]["calls"]
    assert 1 == len(await watching.stores.observations.newest(9))
