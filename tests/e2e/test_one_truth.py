"""One truth over two kills: 2,000 calls of every outcome, and every reader says what their clients were told and the simulator sent."""

import signal
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio
from stage.fetching import fetch
from stage.readers import TOKENS, by_state, fed, listed, noted, scraped, used

from exai_trio.simulator.app import serve

sys.path.insert(0, str(Path(__file__).parents[1] / "simulator"))

import sent_tokens
from sent_tokens import PANEL

sent = sent_tokens.sent
pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

WINDOWS = 8
ROUNDS = 2  # in each of three lives
HANG = {"prompt": "[[simulate: hang]]"}
# kind, tool, arguments, more of the request
KINDS = (
    ("ended", "chat", {"prompt": "hello"}, {}),
    ("ended", "chat", {"prompt": "[[simulate: times=1 status=429 retry_after=0.01]]", "model": "kimi-k2.6"}, {}),
    ("ended", "chat", {"prompt": "no [[simulate: status=400]]"}, {}),
    ("ended", "chat", HANG, {"timeout_s": 0.05}),
    ("ended", "version", {}, {}),
    ("ended", "consensus", PANEL, {}),
    ("ended", "chat", {"prompt": "[[simulate: tokens=3 drip=0.01]]"}, {"handle_after_s": 0.005}),
    ("cancelled", "chat", HANG, {}),
    ("said twice", "chat", {"prompt": "hello"}, {}),
    ("repeated", "version", {}, {}),
    ("refused", "chat", {"prompt": 3}, {}),
    ("refused", "no_such_tool", {}, {}),
    *[("ended", "test_echo", {"prompt": "x"}, {})] * 33,
)  # fmt: skip
# Held by each window over both kills: the first is run again and answered, the second is given up.
RESUMED, BROKEN_OFF = "resumed", "broken off"
HELD = {RESUMED: "[[simulate: hang times=1]]", BROKEN_OFF: "[[simulate: hang]]"}


@attrs.define
class Heard:
    """What the clients of one life were told: ended calls by tool and outcome, refusals, repetitions."""

    ended: Counter = attrs.field(factory=Counter)
    refused: int = 0
    repeated: int = 0

    def take(self, tool, reply):
        self.ended[tool, "ok" if reply["ok"] else reply["error"]["code"]] += 1


@attrs.define
class Window:
    """A client that comes back after each kill."""

    name: str
    asked: int = 0
    seq: int = 0

    async def live(self, place, held, to_hold, heard):
        """Hear of the `held` calls, carry out all kinds, and begin the calls `to_hold`."""
        async with place.client(protocol=2, session_id=self.name, last_seq=self.seq) as client:
            for name in held:
                heard.take("chat", await self.reply(client, name))
            for kind in KINDS * ROUNDS:
                await self.carry_out(client, kind, heard)
            for name in to_hold:
                await say(client, name, "chat", {"prompt": HELD[name]})
                await self.hear(client, "call_tool_ack", name)

    async def carry_out(self, client, scripted, heard):
        kind, tool, arguments, more = scripted
        self.asked += 1
        name = f"r{self.asked}"
        await say(client, name, tool, arguments, **more)
        if kind == "said twice":
            await say(client, name, tool, arguments, **more)
            heard.repeated += 1
        if kind == "cancelled":
            await self.hear(client, "call_tool_ack", name)
            await client.say("cancel", request_id=name)
        reply = await self.reply(client, name)
        if kind == "refused":
            heard.refused += 1
            return
        heard.take(tool, reply)  # of a handle its work, which goes well
        if kind == "repeated":
            await say(client, name, tool, arguments)
            await self.reply(client, name)
            heard.repeated += 1
        await client.say("ack", seq=self.seq)

    async def reply(self, client, name):
        return await self.hear(client, "call_tool_res", name)

    async def hear(self, client, op, name):
        while True:
            heard = await client.hear()
            self.seq = heard.get("seq", self.seq)
            if (op, name) == (heard["op"], heard.get("request_id")):
                return heard


async def say(client, name, tool, arguments, **more):
    await client.say("call_tool", request_id=name, name=tool, arguments=arguments, **more)


@pytest.fixture
async def place(new_place, nursery):
    """A home whose models are a simulator in this process, which outlives its daemons."""
    origin = await nursery.start(partial(serve, "127.0.0.1", 0))
    return new_place(
        http=True,
        GLM_API_URL=f"{origin}/glm/api/paas/v4", GLM_API_KEY="simulated",
        KIMI_API_URL=f"{origin}/kimi/v1", KIMI_API_KEY="simulated",
        CIRCUIT_BREAKER_ENABLED="false", ENABLED_TOOLS="test_echo",
        EXAI_WS_GLM_MAX_INFLIGHT="64", EXAI_WS_KIMI_MAX_INFLIGHT="64",
    )  # fmt: skip


async def test_readers_agree_over_two_kills(place, start, sent, until):
    """To the call and to the token; what was interrupted is counted once, by the daemon that ended it."""
    windows = [Window(f"window{number}") for number in range(WINDOWS)]
    ended, measured = Counter(), Counter()
    for held, to_hold, left in (((), tuple(HELD), 2), ((RESUMED,), (), 1), ((BROKEN_OFF,), (), 0)):
        daemon, heard = start(place), Heard()
        async with trio.open_nursery() as clients:
            for window in windows:
                clients.start_soon(window.live, place, held, to_hold, heard)
        ended += heard.ended
        await until(partial(is_settled, place, ended.total(), WINDOWS * left))
        said = await scraped(place)
        check_life(said, await fed(place), heard)
        measured.update(said)
        rows, lines = await listed(place), await noted(place)
        daemon.signal(signal.SIGKILL)
        await daemon.wait()
    usage = await used(place)

    assert (WINDOWS, True) == (ended["chat", "INTERRUPTED"], ended.total() > 2_000)
    assert ended == Counter((row["tool"], row["code"] or "ok") for row in rows)
    assert ended == Counter((line["name"], line["code"] or "ok") for line in lines)
    assert Counter(ended_by_tool(ended)) == sums(usage, "calls")
    assert (
        sum(ended.values()) - sum(n for (_, code), n in ended.items() if code == "ok")
        == sums(usage, "failures").total()
    )
    for kind in TOKENS:
        in_metrics = sum(
            n for name, n in measured.items() if name[0] == "exai_tokens_total" and name[3] == kind
        )
        assert sent[kind] == in_metrics == sums(usage, f"{kind}_tokens").total()
    for kind in ("input", "output"):
        assert sent[kind] == sum(row[f"{kind}_tokens"] or 0 for row in rows)


async def is_settled(place, ended, running):
    """All that has ended is on disk; what runs is with its provider, so that nothing is on its way when the daemon is killed."""
    now = await scraped(place)
    if (running, running) != (now["exai_calls_running",], now["exai_permits_in_use", "glm"]):
        return False
    in_usage = sum(row["calls"] for row in (await fetch(place.pages, "/api/usage")).json["rows"])
    return ended == in_usage == len(await noted(place)) == len(await listed(place))


def check_life(said, told, heard):
    """What one daemon says of itself."""
    outcomes = {name[1:]: int(n) for name, n in said.items() if name[0] == "exai_calls_total"}
    ended = heard.ended.total()
    assert heard.ended == outcomes
    assert ended == sum(
        n for name, n in said.items() if name[0] == "exai_call_duration_seconds_count"
    )
    assert said["exai_calls_accepted_total",] == ended + said["exai_calls_running",]
    dropped = {name[1] for name, n in said.items() if name[0] == "exai_events_dropped_total" and n}
    assert dropped <= {"toolcalls file"}  # which takes 500 a second
    calls = told["overview"]["calls"]
    assert by_state(heard.ended).items() <= calls.items()
    for name, count in (("refused", heard.refused), ("repeated", heard.repeated)):
        assert (
            count
            == calls[name]
            == sum(n for key, n in said.items() if key[0] == f"exai_calls_{name}_total")
        )
    assert ended <= told["stats"]["websocket"]["total_events"]  # connections count there, too


def ended_by_tool(ended):
    by_tool = Counter()
    for (tool, _), count in ended.items():
        by_tool[tool] += count
    return by_tool


def sums(rows, name):
    found = Counter()
    for row in rows:  # one for each currency
        found[row["tool"]] += row[name] or 0
    return found
