"""What an audit found: one line each, or JSON, or SARIF."""

import json
from dataclasses import asdict, dataclass

RULES = {
    "broad-handler": "a broad handler neither raises, logs with the exception, nor counts",
    "empty-handler": "a handler only passes or returns a constant",
    "suppress": "a fault is suppressed",
    "swallowed-cancel": "a cancellation is swallowed",
    "finally-jump": "a jump out of `finally` drops the fault on its way",
    "fault-as-success": "a fault is turned into a success",
    "silent-loop": "a loop goes on after a fault and does not say how often",
    "lost-outcome": "nobody looks at the outcome",
    "port": "a port is written where it is used",
    "host": "a host is written where it is used",
    "url": "an address is written where it is used",
    "path": "a path is written where it is used",
    "model": "the name of a model is written outside the catalogue",
    "duration": "a duration is written where it is used",
    "limit": "a limit is written where it is used",
    "no-reason": "a constant has a name and no reason",
    "environment": "the environment is read outside the command line",
    "unread-setting": "a setting is declared and never read",
    "undeclared-setting": "a setting is read and not declared",
    "two-defaults": "a setting has two defaults",
    "secret": "this looks like a secret",
    "no-such-rule": "an exception names a rule that does not exist, or gives no reason",
    "idle-exception": "an exception stands where nothing is found",
}


@dataclass(frozen=True, order=True)
class Finding:
    path: str
    line: int
    rule: str
    message: str

    def __str__(self):
        return f"{self.path}:{self.line} {self.rule} {self.message}"


def as_text(findings):
    return "".join(f"{finding}\n" for finding in findings)


def as_json(findings):
    return json.dumps([asdict(finding) for finding in findings], indent=1) + "\n"


def as_sarif(findings):
    """SARIF 2.1.0, as code hosts read it."""
    rules = [{"id": rule, "shortDescription": {"text": about}} for rule, about in RULES.items()]
    run = {
        "tool": {"driver": {"name": "audit", "rules": rules}},
        "results": [_result(finding) for finding in findings],
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _result(finding):
    place = {
        "artifactLocation": {"uri": finding.path},
        "region": {"startLine": finding.line},
    }
    return {
        "ruleId": finding.rule,
        "level": "error",
        "message": {"text": finding.message},
        "locations": [{"physicalLocation": place}],
    }
