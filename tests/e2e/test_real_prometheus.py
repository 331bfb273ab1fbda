"""A real Prometheus scrapes a real daemon under load: it counts what the clients counted, and every expression that we ship has its data."""

import json
import re
import shutil
import subprocess
from collections import Counter
from contextlib import closing
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import pytest
import trio
from free_ports import free_ports

from exai_trio.monitoring.alerts.alert_rules import RULES

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(180),
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="Debian's package prometheus is not here"),
]  # fmt: skip

DOCS = Path(__file__).parents[2] / "docs"
RULES_FILE = DOCS / "prometheus" / "exai-rules.yml"
CONFIG = """\
global: {{scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs: [{{job_name: exai, static_configs: [{{targets: ["127.0.0.1:{pages}"]}}]}}]
"""
# There is nothing to show while all is well, before two minutes have gone by, or of what is not set.
MAY_BE_EMPTY = ("== 1", "exai_job_runs", "[1h:1m]", "exai_budget", "exai_terminal")


@pytest.fixture
def prometheus(new_place, start, tmp_path):
    """The place of a daemon with a simulator, and the port of a Prometheus that scrapes its dashboard's port."""
    place, (port,) = new_place(simulate=True, http=True, ENABLED_TOOLS="test_echo", CIRCUIT_BREAKER_ENABLED="false"), free_ports(1)  # fmt: skip
    start(place)
    config = tmp_path / "prometheus.yml"
    config.write_text(CONFIG.format(rules=json.dumps(str(RULES_FILE)), pages=place.pages))
    words = [f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]  # fmt: skip
    with (tmp_path / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(["prometheus", *words], stdout=log, stderr=log)
        try:
            yield place, port
        finally:
            process.terminate()
            process.wait(10)


async def asked(port, path, **words):
    """What Prometheus's API says, None while it does not answer. Raises AssertionError for what is no expression."""
    code, body = await trio.to_thread.run_sync(
        partial(got, port, f"/api/v1/{path}?{urlencode(words)}")
    )
    if code == 503:  # it starts
        return None
    assert 200 == code, (words, body)
    return json.loads(body)["data"]


def got(port, path):
    with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        try:
            connection.request("GET", path)
        except ConnectionRefusedError:
            return 503, b""
        answer = connection.getresponse()
        return answer.status, answer.read()


@pytest.fixture
def query(prometheus):
    """`await query(expression)`: by labels what it gives now."""

    async def ask(expression):
        said = await asked(prometheus[1], "query", query=expression)
        return {tuple(sorted(one["metric"].items())): float(one["value"][1]) for one in said["result"]} if said else {}  # fmt: skip

    return ask


async def load(place, name, ended):
    """Calls of several outcomes."""
    async with place.client() as client:
        await client.outcome(f"{name}refused", "no_such_tool")
        for number, prompt in enumerate(["hi", "no [[simulate: status=400]]"] * 5):
            answer = await client.outcome(f"{name}{number}", "chat", prompt=prompt)
            ended["chat", "ok" if answer["ok"] else answer["error"]["code"]] += 1
        for number in range(90):
            await client.outcome(f"{name}echo{number}", prompt="hi")
            ended["test_echo", "ok"] += 1


async def is_counted(query, ended):
    found = await query("sum by (tool, outcome) (exai_calls_total)")
    return ended == Counter({(labels[1][1], labels[0][1]): int(count) for labels, count in found.items()})  # fmt: skip


def expressions():
    """Those of Grafana's dashboard, and what the alerts compare with their bounds."""
    board = json.loads((DOCS / "grafana" / "exai.json").read_text())
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield target["expr"].replace("$__rate_interval", "1m")
    for rule in RULES:
        if rule.expr:
            yield re.split(r" (?:>|>=|==) ", rule.expr)[0]


async def test_it_counts_what_the_clients_counted_and_is_asked_what_we_ship(
    prometheus, query, until
):
    """Twice under load, since a rate needs two scrapes; every expression is valid, and has data where there must be some."""
    place, port = prometheus
    await until(lambda: query("up == 1"))
    ended = Counter()
    for batch in "ab":
        async with trio.open_nursery() as clients:
            for number in range(4):
                clients.start_soon(load, place, f"{batch}{number}-", ended)
        await until(partial(is_counted, query, ended))
    for expression in expressions():
        if any(part in expression for part in MAY_BE_EMPTY):
            await query(expression)  # it is valid
        else:  # a scrape that was late takes all data away until the next
            await until(partial(query, expression))
    rules = (await asked(port, "rules"))["groups"][0]["rules"]

    assert 800 == ended.total()
    assert {f"exai_{rule.name}": rule.expr for rule in RULES if rule.expr}.keys() == {
        rule["name"] for rule in rules
    }
    assert not [rule for rule in rules if rule["health"] == "err"]


def test_promtool_accepts_the_rules():
    words = ["promtool", "check", "rules", str(RULES_FILE)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)

    assert (0, True) == (done.returncode, "SUCCESS" in done.stdout), done
