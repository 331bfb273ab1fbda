"""EXAI_ALERTS_FILE changes bounds or switches a rule off; what is wrong in it is said."""

import pytest

from exai_trio.errors import ArgumentError
from exai_trio.monitoring.alerts.alert_rules import BY_NAME, RULES
from exai_trio.monitoring.alerts.alerts_file import rules_of


def test_what_it_names_changes_and_everything_else_stays():
    rules = {
        rule.name: rule
        for rule in rules_of(
            '[error_rate]\nfires = 0.1\n[disk]\nenabled = false\n[latency.tools]\nchat = 20\n[queue]\nfor_s = 60\nseverity = "high"\n'
        )
    }

    assert (0.1, pytest.approx(0.08)) == (rules["error_rate"].fires, rules["error_rate"].clears)
    assert set(BY_NAME) - {"disk"} == set(rules)
    assert {"chat": 20.0} == rules["latency"].tools
    assert (60.0, "high") == (rules["queue"].for_s, rules["queue"].severity)
    assert rules["memory"] == BY_NAME["memory"]
    assert RULES == rules_of("")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "no TOML"),
        ("[eror_rate]\nfires = 1", "error_rate"),
        ("error_rate = 3", "no alert"),
        ("[disk]\nfire = 1", "fires"),
        ("[disk]\ntools = {}", "knows no 'tools'"),
        ("[disk]\nfires = 'much'", "a number from 0 up"),
        ("[disk]\nfires = -1", "a number from 0 up"),
        ("[disk]\nfires = nan", "a number from 0 up"),
        ("[disk]\nfires = 1\nclears = 2", "above 1"),
        ("[disk]\nseverity = 'dire'", "critical, high"),
        ("[disk]\nenabled = 'no'", "no bool"),
        ("[latency.tools]\nchat = 'slow'", "a number"),
    ],
)
def test_what_is_wrong_is_said(text, said):
    with pytest.raises(ArgumentError, match=said):
        rules_of(text)
