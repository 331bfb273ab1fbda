"""The pages about alerts are what the table of rules makes of them."""

import runpy
from pathlib import Path

import pytest

from exai_trio.monitoring.alerts.alert_rules import RULES

SCRIPT = Path(__file__).parents[2] / "scripts" / "alert_rules.py"


def test_they_are_up_to_date(monkeypatch):
    """They are written by `scripts/alert_rules.py` and by nobody else."""
    monkeypatch.setattr("sys.argv", [str(SCRIPT), "--check"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPT), run_name="__main__")

    assert 0 == ended.value.code


def test_every_rule_that_prometheus_can_know_is_told_to_it():
    made = runpy.run_path(str(SCRIPT))["yaml"]()

    assert [rule.name for rule in RULES if rule.expr] == [
        line.rpartition("exai_")[2] for line in made.splitlines() if "- alert:" in line
    ]
