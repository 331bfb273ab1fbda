"""What /metrics says, as other programs read it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from exai_trio.observability.meters.exposition import OPEN_METRICS, TEXT, exposition, media_for
from exai_trio.observability.meters.families import BOUNDS, FAMILIES
from exai_trio.observability.meters.meter_set import Meters

DOCS = Path(__file__).parents[3] / "docs"
ODD = 'a"b\\c\nd\ud800'


def measured():
    meters = Meters()
    meters.counter("calls_total").add("chat", "ok", amount=3)
    meters.counter("calls_total").add(ODD, "ok")
    for seconds in (0.004, 0.2, 700.0):
        meters.histogram("call_duration_seconds").observe(seconds, "chat")
    meters.read("store_up", lambda: None)
    meters.read("permits", lambda: {("global",): 24.0})
    return meters.snapshot()


def samples(families):
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def test_both_formats_are_read_by_the_usual_parser():
    """The same figures in both; whatever a label holds; what could not be told is not there; every family is declared."""
    text, opened = exposition(measured()).decode(), exposition(measured(), OPEN_METRICS).decode()
    plain = list(text_string_to_metric_families(text))
    read, read_open = samples(plain), samples(openmetrics.text_string_to_metric_families(opened))

    assert read == read_open
    assert 3 == read["exai_calls_total", ("outcome", "ok"), ("tool", "chat")]
    assert 1 == read["exai_calls_total", ("outcome", "ok"), ("tool", ODD.replace("\ud800", "?"))]
    buckets = [
        value for key, value in read.items() if key[0] == "exai_call_duration_seconds_bucket"
    ]
    assert [1] * 5 + [2] * (len(BOUNDS) - 5) + [3] == buckets
    assert not [key for key in read if key[0] == "exai_store_up"]
    assert {f.shown.removesuffix("_total") for f in FAMILIES} == {f.name for f in plain}
    assert all(family.documentation for family in plain)


@pytest.mark.parametrize(
    ("accept", "media"),
    [("", TEXT), ("*/*", TEXT), ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", OPEN_METRICS)],
)  # fmt: skip
def test_the_format_is_what_is_accepted(accept, media):
    assert media == media_for(accept)


def test_the_dashboard_asks_only_for_what_there_is():
    """Each name in an expression of Grafana's is a family's."""
    board = json.loads((DOCS / "grafana" / "exai.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    named = {word for text in asked for word in text.replace("(", " ").replace("{", " ").replace("[", " ").replace(")", " ").split() if word.startswith(("exai_", "process_"))}  # fmt: skip
    known = {f.shown for f in FAMILIES} | {f"{f.shown}_bucket" for f in FAMILIES if f.kind == "histogram"}  # fmt: skip

    assert named <= known


@pytest.mark.real
@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool of Debian's package prometheus is not here"
)
def test_promtool_finds_nothing_to_complain_of():
    """`promtool check metrics` reads what we write, and its linter accepts the names."""
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=exposition(measured()), capture_output=True, timeout=30, check=False
    )  # fmt: skip

    assert (0, b"") == (done.returncode, done.stderr + done.stdout)
