"""The daemon that is measured: one of our own, of this tree or another, or one that runs already; and what it and its provider know of a call."""

import json
import os
import sqlite3
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import httpx2
import trio
from bench.pairs import port_in
from bench.processes import NotMeasured, child, environment, home, ours, read_line

from .client import Lost
from .records import ROOT

# What a daemon of our own is given of our environment when it is to ask real models.
LIVE: Final = (
    "GLM_API_KEY", "GLM_API_URL", "KIMI_API_KEY", "KIMI_API_URL", "EXAI_PROVIDERS_FILE", "DEFAULT_MODEL",
)  # fmt: skip
_KNOWN_S = 5.0  # a daemon writes down its calls once a second


@attrs.frozen(kw_only=True)
class Served:
    """`home` is where its files are, if we may read them; `process` only of a daemon of our own."""

    url: str
    home: Path | None = None
    token: str = ""
    process: Any = None

    @property
    def is_ours(self):
        return self.process is not None

    @property
    def lives(self):
        return self.process is None or self.process.poll() is None


@contextmanager
def own_daemon(*, tree=ROOT, live=False, **settings) -> Generator[Served]:
    """`exai serve` of that tree on a free port, in a home of its own, with the simulator unless `live`. Raises Lost."""
    with home() as where:
        given = {name: os.environ[name] for name in LIVE if live and name in os.environ}
        simulate = {} if live else {"EXAI_SIMULATE": "true"}
        env = environment(where, EXAI_WS_PORT=0, **simulate, **given, **settings)
        env["PYTHONPATH"] = str(tree)
        try:
            with child(ours("serve"), env, where) as process:
                port = port_in(read_line(process))
                yield Served(url=f"ws://127.0.0.1:{port}/", home=where, process=process)
        except NotMeasured as fault:
            raise Lost(str(fault)) from fault


def running_daemon(url, home_given):
    """One that somebody else started."""
    return Served(url=url, home=home_given, token=os.environ.get("EXAI_WS_TOKEN", ""))


@attrs.define(eq=False)
class ProviderLog:
    """What the simulator has got; `origin` is None where real providers are asked, and nobody can say."""

    origin: str | None
    client: httpx2.AsyncClient
    since: int = 0

    async def news(self):
        """The requests since the last time, or None. Raises Lost."""
        if self.origin is None:
            return None
        address = f"{self.origin}/_requests"
        try:
            answer = await self.client.get(address, params={"since": self.since})
        except httpx2.HTTPError as fault:
            raise Lost(f"the simulator is gone: {fault}") from fault
        found = answer.json()["requests"]
        if found:
            self.since = found[-1]["number"]
        return found

    async def arm(self, provider, words, requests=1, path=""):
        """What is to be wrong with its next requests. Raises Lost if the simulator does not understand."""
        body = {"provider": provider, "requests": requests, "fault": words, "path": path}
        answer = await self.client.post(f"{self.origin}/_control", json=body)
        if answer.status_code != 200:
            raise Lost(f"the simulator refuses {words}: {answer.text}")


def log_of(health, client):
    return ProviderLog(health.get("simulator"), client)


async def known_calls(served, calls):
    """What the daemon has written down of these calls (by session, request and id): a row by id, which is empty where it keeps none but a
    line. Waits until all are there, or long enough; None where its files cannot be read."""
    if served.home is None:
        return None
    with trio.move_on_after(_KNOWN_S):
        while True:
            found = await trio.to_thread.run_sync(_written, served.home, calls)
            if len(found) == len(calls):
                return found
            await trio.sleep(0.2)
    return found


def _written(where, calls):
    rows = _rows(where / "state" / "exai.db", {call_id for _, _, call_id in calls})
    if rows is None:
        lines = _lines(where / "logs" / "toolcalls.jsonl")
        rows = {call_id: {} for session, request, call_id in calls if (session, request) in lines}
    return rows


def _rows(path, wanted):
    """None where there is no table of calls."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as reader:
            reader.row_factory = sqlite3.Row
            return {
                row["id"]: dict(row)
                for row in reader.execute("SELECT * FROM calls")
                if row["id"] in wanted
            }
    except sqlite3.OperationalError:
        return None


def _lines(path):
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    facts = [json.loads(line) for line in lines]
    return frozenset((fact.get("session_id"), fact.get("request_id")) for fact in facts)


def python():
    return sys.executable
