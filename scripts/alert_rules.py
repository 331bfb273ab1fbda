"""The generated pages of the alerts, out of their table: docs/prometheus/exai-rules.yml and docs/reference/alerts.md.

Without arguments it writes them; with --check it names those that are not what they would be, exit 1.
"""

import json
import sys
from pathlib import Path

from exai_trio.monitoring.alerts.alert_rules import RULES

ROOT = Path(__file__).resolve().parent.parent
YAML = ROOT / "docs" / "prometheus" / "exai-rules.yml"
PAGE = ROOT / "docs" / "reference" / "alerts.md"
HEAD = """\
# Alerts

Written by `scripts/alert_rules.py`; a test holds this page to the package.

Each 5 seconds the daemon looks at its figures. An alert fires when its measure has been above the bound for the time given, and clears at the lower bound. Those that
are high or critical are among the troubles, and the daemon's status is "degraded". `exai alerts` lists those that fire, `exai alerts silence NAME --for 2h` keeps one quiet, also over a
restart. `EXAI_ALERT_WEBHOOK` is told when one fires and when it clears.

| alert | severity | fires | above | clears at | after |
|---|---|---|---|---|---|
"""
TAIL = """
## Other bounds

`EXAI_ALERTS_FILE` names a file of TOML; what it does not name stays as it is:

    [error_rate]
    fires = 0.05          # 5 %
    clears = 0.04
    for_s = 60            # only when it has lasted so long
    severity = "medium"

    [disk]
    enabled = false

    [latency.tools]       # seconds; instead of 3 times what is usual
    chat = 20

## Prometheus

`docs/prometheus/exai-rules.yml` says the same to Prometheus, as far as it has figures of it: disk, jobs and budgets are told by the daemon alone.
"""


def main():
    wanted = {YAML: yaml(), PAGE: page()}
    if "--check" not in sys.argv:
        for path, text in wanted.items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return 0
    stale = [
        path
        for path, text in wanted.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        print(f"{path.relative_to(ROOT)} is not up to date: python scripts/alert_rules.py")
    return 1 if stale else 0


def page():
    rows = (
        f"| {rule.name} | {rule.severity} | {rule.about} | {rule.fires:g} | {rule.clears:g} | {f'{rule.for_s:g} s' if rule.for_s else 'at once'} |\n"
        for rule in RULES
    )
    return HEAD + "".join(rows) + TAIL


def yaml():
    lines = [
        "# Written by scripts/alert_rules.py from the table of exai_trio/monitoring/alerts/alert_rules.py.",
        "groups:",
        "  - name: exai",
        "    interval: 15s",
        "    rules:",
    ]
    for rule in RULES:
        if not rule.expr:
            continue
        for_s = 60 if rule.name == "provider_down" else rule.for_s
        lines += [
            f"      - alert: exai_{rule.name}",
            f"        expr: {json.dumps(rule.expr)}",
            *([f"        for: {for_s:.0f}s"] if for_s else []),
            "        labels:",
            f"          severity: {rule.severity}",
            "        annotations:",
            f"          summary: {json.dumps(rule.about)}",
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
