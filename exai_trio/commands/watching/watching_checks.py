"""What `exai doctor` says of what looks at the daemon: what of it is off, and how to switch it on."""

from collections.abc import Iterator

from exai_trio.commands.checking.findings import Finding, Seen
from exai_trio.errors import ArgumentError
from exai_trio.monitoring.alerts.alerts_file import rules_of


def watching(seen: Seen) -> Iterator[Finding]:
    if seen.is_client_only:
        return
    config = seen.config
    yield from _alerts_file(seen)
    yield _row(
        config.monitoring_port,
        f"the dashboard is on port {config.monitoring_port}",
        "the dashboard is off",
        "MONITORING_PORT=8080 opens it; `exai status` tells most of it",
    )
    yield _row(
        config.incidents_port,
        f"incidents are on port {config.incidents_port}",
        "incidents have no port of their own",
        "INCIDENTS_PORT=8081 opens it; `exai incidents` lists them",
    )
    yield _row(
        config.alert_webhook,
        "alerts are told to a webhook",
        "alerts are told to nobody outside",
        "EXAI_ALERT_WEBHOOK=URL tells them; `exai alerts` lists them",
    )
    yield _row(
        config.investigate,
        f"new incidents are explained by {config.investigator_model}, who is sent their traces",
        "incidents are explained on request only",
        f"EXAI_INVESTIGATE=true has {config.investigator_model} explain new ones; `exai incidents investigate ID` one of them",
    )
    yield _row(
        config.auditor_enabled,
        f"figures are audited by {config.auditor_model}, who is sent aggregates",
        "the auditor is off",
        f"AUDITOR_ENABLED=true has {config.auditor_model} look at aggregates, 12 times a day at most",
    )


def _row(on: object, what: str, off: str, remedy: str) -> Finding:
    return Finding.ok(what) if on else Finding.ok(off, remedy)


def _alerts_file(seen: Seen) -> Iterator[Finding]:
    path = seen.config.alerts_file
    if path is None:
        return
    try:
        rules = rules_of(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, ArgumentError) as fault:
        yield Finding.fault(f"EXAI_ALERTS_FILE {path}: {fault}", "correct or remove it")
        return
    yield Finding.ok(f"EXAI_ALERTS_FILE {path} gives {len(rules)} alerts")
