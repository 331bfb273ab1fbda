"""One truth: what clients were told is what every reader of the meters says, to the call and to the token."""

import json
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio
from database_in_memory import MemoryDatabase
from journal_in_memory import MemoryJournal
from prometheus_client.parser import text_string_to_metric_families

from exai_trio.config import Config
from exai_trio.daemon.backends import Models
from exai_trio.observability.event_hub import EventHub
from exai_trio.observability.meters.exposition import exposition
from exai_trio.providers.gateway import open_gateway
from exai_trio.storage.sqlite.calls_table import SqliteCalls
from exai_trio.storage.sqlite.watching.metric_history_rows import SqliteHistory
from exai_trio.storage.watching.usage_sums import usage_rows
from exai_trio.wire.messages import Ack, CallAccepted, CallFailed, CallResult, CallTool, Cancel

sys.path.insert(0, str(Path(__file__).parents[1] / "simulator"))

import sent_tokens
from sent_tokens import PANEL

sent = sent_tokens.sent
# kind, tool, arguments, more of the request
KINDS = (
    ("ok", "chat", {"prompt": "hello"}, {}),
    (
        "ok",
        "chat",
        {"prompt": "twice [[simulate: times=1 status=429 retry_after=0.01]]", "model": "kimi-k2.6"},
        {},
    ),
    ("ok", "version", {}, {}),
    ("ok", "consensus", PANEL, {}),
    ("fault", "nap", {"fault": "planted"}, {}),
    ("fault", "chat", {"prompt": "no [[simulate: status=400]]"}, {}),
    ("late", "nap", {"seconds": 60.0}, {"timeout_s": 0.05}),
    ("cancelled", "nap", {"seconds": 60.0}, {}),
    ("repeated", "nap", {}, {}),
    ("refused", "nap", {"seconds": "no number"}, {}),
    ("refused", "no-such-tool", {}, {}),
    ("handle", "nap", {"seconds": 0.1}, {"handle_after_s": 0.02}),
)


@attrs.define
class Heard:
    """What the clients were told: ended calls by tool and outcome, refusals, repetitions."""

    ended: Counter = attrs.field(factory=Counter)
    refused: int = 0
    repeated: int = 0

    def take(self, tool, reply):
        self.ended[tool, reply.error.code if isinstance(reply, CallFailed) else "ok"] += 1


async def carry_out(client, number, scripted, heard):
    kind, tool, arguments, more = scripted
    request = CallTool(request_id=f"r{number}", name=tool, arguments=arguments, **more)
    await client.say(request)
    if kind == "cancelled":
        await client.hear_until(CallAccepted)
        await client.say(Cancel(request_id=request.request_id))
    reply = await client.hear_until((CallResult, CallFailed))
    if kind == "refused":
        heard.refused += 1
        return
    heard.take(tool, reply)  # of a handle its work, which goes well
    if kind == "repeated":
        await client.say(request)
        await client.hear_until(CallResult)
        heard.repeated += 1
    await client.say(Ack(seq=client.last_seq))


async def window(daemon, name, kinds, heard):
    async with daemon.connect(session_id=name) as (client, _):
        for number, kind in enumerate(kinds):
            await carry_out(client, number, kind, heard)
        await daemon.calls.wait_none()  # those with a handle


@pytest.fixture
async def life(house, nursery, tmp_path):
    """`async with life():` a daemon at the simulator, over what the one before has left."""
    from contextlib import asynccontextmanager

    from exai_trio.simulator.app import serve

    origin = await nursery.start(partial(serve, "127.0.0.1", 0))
    database, journal = MemoryDatabase(), MemoryJournal()

    @asynccontextmanager
    async def opened(**more):
        events = EventHub()
        config = Config(circuit_breaker_enabled=False)
        async with open_gateway(config, simulator_url=origin, publish=events.publish) as gateway:
            backends = {
                "models": Models(gateway=gateway, events=events),
                "ended_calls": SqliteCalls(database),
                "history": SqliteHistory(database),
            }
            async with house(journal, backends=backends, home=tmp_path, circuit_breaker_enabled=False, **more) as daemon:  # fmt: skip
                yield daemon

    return opened


async def written(daemon):
    """All that is kept is on disk."""
    keeping = daemon.parts.keeping
    await keeping.flush_calls()
    await keeping.history.keep_history()
    await daemon.parts.files.flush_call_log()


async def check(daemon, heard, sent, tmp_path):
    await written(daemon)
    said = daemon.report.meters.snapshot()
    calls = await daemon.parts.keeping.store.since(0)
    used = await daemon.parts.keeping.history.store.usage(0)
    lines = [json.loads(line) for line in (tmp_path / "logs" / "ws_daemon.metrics.jsonl").read_text().splitlines()]  # fmt: skip
    scraped = {(s.name, *sorted(s.labels.items())): s.value for f in text_string_to_metric_families(exposition(said).decode()) for s in f.samples}  # fmt: skip
    by_tool = Counter()
    for (tool, _), count in heard.ended.items():
        by_tool[tool] += count

    assert heard.ended == Counter({key: int(value) for key, value in said.readings["calls_total"].values.items()})  # fmt: skip
    assert heard.ended == Counter((call.tool, call.code or "ok") for call in calls)
    assert heard.ended == Counter((line["name"], line["code"] or "ok") for line in lines)
    assert heard.ended == Counter({(dict(key[1:])["tool"], dict(key[1:])["outcome"]): int(value) for key, value in scraped.items() if key[0] == "exai_calls_total"})  # fmt: skip
    used_by_tool = Counter()
    for row in usage_rows(used, ("tool",)):  # one for each currency
        used_by_tool[row["tool"]] += row["calls"]
    assert by_tool == used_by_tool
    failed = sum(count for (_, code), count in heard.ended.items() if code != "ok")
    assert failed == sum(row.failures for row in used) == said.total("errors_total")
    assert (heard.refused, heard.repeated) == (said.total("calls_refused_total"), said.total("calls_repeated_total"))  # fmt: skip
    assert said.total("calls_accepted_total") == sum(heard.ended.values()) + said.total("calls_running") + said.total("calls_left_total")  # fmt: skip
    assert {"input", "output"} <= set(sent)
    for kind in ("input", "output", "cached"):
        named = f"{kind}_tokens"
        assert sent[kind] == said.total("tokens_total", type=kind)
        assert sent[kind] == sum(getattr(row, named) or 0 for row in used)
        assert sent[kind] == sum(getattr(call, named) or 0 for call in calls)
    assert all(count == 0 for count in said.by("events_dropped_total", "sink").values())


async def play(life, sent, tmp_path, windows):
    heard = Heard()
    async with life() as daemon:
        async with trio.open_nursery() as writing:
            over = trio.Event()
            writing.start_soon(write_on, daemon, over)
            async with trio.open_nursery() as clients:
                for number in range(windows):
                    kinds = KINDS[number % len(KINDS) :] + KINDS[: number % len(KINDS)]
                    clients.start_soon(window, daemon, f"win{number}", kinds, heard)
            over.set()
        await check(daemon, heard, sent, tmp_path)


async def write_on(daemon, over):
    """As the jobs of a daemon do, until the calls are over."""
    while not over.is_set():
        with trio.move_on_after(0.5):
            await over.wait()
        await written(daemon)


async def test_all_readers_say_what_the_clients_were_told(life, sent, tmp_path):
    """Calls of every outcome, several at once."""
    await play(life, sent, tmp_path, windows=3)


@pytest.mark.parametrize("repeatable", [True, False])
async def test_a_call_of_two_daemons_is_counted_once(house, journal, autojump_clock, repeatable):
    """The first leaves it, the second ends it: run again, or broken off."""
    database = MemoryDatabase()
    kept = {"ended_calls": SqliteCalls(database), "history": SqliteHistory(database)}
    async with house(journal, repeatable=repeatable, backends=kept) as first, first.connect(session_id="win") as (client, _):  # fmt: skip
        await client.nap(seconds=30.0)
        await client.hear_until(CallAccepted)
        said_first = first.report.meters.snapshot()
    left = first.report.meters.snapshot()
    async with house(journal, repeatable=repeatable, backends=kept) as second, second.connect(session_id="win", last_seq=1) as (client, _):  # fmt: skip
        outcome = await client.hear_until((CallResult, CallFailed))
        await second.parts.keeping.flush_calls()
        await second.parts.keeping.history.keep_history()
        said = second.report.meters.snapshot()
        (call,) = await second.parts.keeping.store.since(0)
        (used,) = await second.parts.keeping.history.store.usage(0)

    assert (1, 1) == (said_first.total("calls_accepted_total"), said_first.total("calls_running"))
    assert (0, 1) == (left.total("calls_total"), left.total("calls_left_total"))
    assert (1, 1) == (said.total("calls_accepted_total"), said.total("calls_total"))
    assert (1, isinstance(outcome, CallFailed)) == (used.calls, used.failures == 1)
    assert ("" if repeatable else "INTERRUPTED") == call.code
