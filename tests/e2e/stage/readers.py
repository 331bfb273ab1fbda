"""Every place where a daemon tells how its calls ended, read as its users read it."""

import json
from collections import Counter
from typing import Any

import trio
from prometheus_client.parser import text_string_to_metric_families
from trio_websocket import open_websocket

from stage.fetching import fetch
from stage.place import Place
from stage.waiting import PATIENCE_S

TOKENS = ("input", "cached", "output")
_OWN_NAMES = {"ok": "finished", "CANCELLED": "cancelled", "TIMEOUT": "timed_out"}


def by_state(ended: Counter[tuple[str, str]]) -> dict[str, int]:
    """Ended calls under the names of health answers."""
    states = Counter(dict.fromkeys((*_OWN_NAMES.values(), "failed"), 0))
    for (_, outcome), count in ended.items():
        states[_OWN_NAMES.get(outcome, "failed")] += count
    return dict(states)


async def scraped(place: Place) -> dict[tuple[str, ...], float]:
    """/metrics, by name and then the values of labels."""
    text = (await fetch(place.pages, "/metrics")).body.decode()
    samples = (each for family in text_string_to_metric_families(text) for each in family.samples)
    return {(one.name, *one.labels.values()): one.value for one in samples}


async def fed(place: Place) -> dict[str, Any]:
    """What the feed gives a page that opens: the old answer by kind of connection, and the overview."""
    with trio.fail_after(PATIENCE_S):
        async with open_websocket("127.0.0.1", place.pages, "/ws", use_ssl=False) as feed:
            await feed.send_message(json.dumps({"command": "get_stats"}))
            await feed.send_message(json.dumps({"command": "subscribe", "topics": ["overview"]}))
            stats = await _frame(feed, "stats")
            overview = await _frame(feed, "overview")
    return {"stats": stats["stats"], "overview": overview["data"]}


async def _frame(feed: Any, kind: str) -> dict[str, Any]:
    while (frame := json.loads(await feed.get_message()))["type"] != kind:
        pass
    return frame


async def listed(place: Place) -> list[dict[str, Any]]:
    """All rows of the dashboard's page of calls."""
    rows: list[dict[str, Any]] = []
    before = ""
    while True:
        page = (await fetch(place.pages, f"/api/calls?limit=200{before}")).json
        rows += page["rows"]
        if page["next"] is None:
            return rows
        before = f"&before={page['next']}"


async def used(place: Place) -> list[dict[str, Any]]:
    """`exai usage`, by tool; it opens the database itself."""
    code, out, err = await trio.to_thread.run_sync(place.run, "usage", "--by", "tool", "--json")
    assert (0, "") == (code, err)
    return json.loads(out)["rows"]


async def noted(place: Place) -> list[dict[str, Any]]:
    """The JSONL file of ended calls."""
    text = await trio.Path(place.logs / "ws_daemon.metrics.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]
