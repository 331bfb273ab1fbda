"""What looks at how the daemon does, as jobs: incidents are kept and explained, alerts looked at and told, figures audited."""

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import trio

from exai_trio import structs
from exai_trio.access.quotas import Quotas
from exai_trio.config import Config
from exai_trio.errors import ArgumentError
from exai_trio.incidents.capture import Capture
from exai_trio.incidents.keeping import IncidentKeeping
from exai_trio.incidents.spool import Spool
from exai_trio.monitoring.alerts.alert_rules import RULES, Rule
from exai_trio.monitoring.alerts.alert_state import AlertChange, AlertStates
from exai_trio.monitoring.alerts.alerts import Alerts
from exai_trio.monitoring.alerts.alerts_file import rules_of
from exai_trio.monitoring.alerts.rule_inputs import EVERY_S
from exai_trio.monitoring.alerts.webhook import Webhook
from exai_trio.observability.events import AlertMoved
from exai_trio.providers.own_questions import OwnQuestions
from exai_trio.storage.watching.watching_stores import WatchingStores
from exai_trio.transport.json_document import post_json

from ..health.alert_figures import AlertFigures
from ..health.problems import Problems
from ..health.report import Report
from .investigating import Investigating
from .supervision import Job

if TYPE_CHECKING:  # loaded only where it is asked for
    from exai_trio.monitoring.auditor.auditor import Auditor, Seen

log = logging.getLogger("exai.daemon")

_KEEP_S: Final = 1.0
_SPOOL_S: Final = 30.0
_DISK_S: Final = 30.0
_DURATIONS_S: Final = 3600.0
_INVESTIGATE_S: Final = 5.0
_AUDIT_S: Final = 60.0


@structs.frozen(kw_only=True, eq=False)
class Watching:
    """All of one daemon. There is an auditor only where it is switched on, and a webhook only where one is named."""

    incidents: IncidentKeeping
    alerts: Alerts
    figures: AlertFigures
    investigating: Investigating
    stores: WatchingStores
    auditor: "Auditor | None" = None
    webhook: Webhook | None = None

    @classmethod
    def where_kept(
        cls,
        report: Report,
        stores: WatchingStores | None,
        capture: Capture | None,
        quotas: Quotas,
    ) -> "Watching | None":
        """Where what is seen can be kept."""
        return cls.of(report, stores, capture, quotas) if stores and capture else None

    @classmethod
    def of(
        cls,
        report: Report,
        stores: WatchingStores,
        capture: Capture,
        quotas: Quotas | None = None,
    ) -> "Watching":
        config, now = report.config, report.context.clock.now
        incidents = IncidentKeeping(capture, stores.incidents, Spool.of(config))
        figures = AlertFigures(report, incidents, stores.durations, quotas)
        capture.figures = figures.shown
        webhook = Webhook(config.alert_webhook, post_json, now) if config.alert_webhook else None
        alerts = Alerts(
            AlertStates(_rules(config, report.problems)),
            stores.alerts,
            figures.read,
            now,
            report.problems.note,
        )
        questions = OwnQuestions(report.gateway)
        made = cls(
            incidents=incidents,
            alerts=alerts,
            figures=figures,
            investigating=Investigating(
                config, stores.incidents, stores.investigations, questions.ask, now
            ),
            stores=stores,
            auditor=_auditor(config, stores, questions, figures, alerts)
            if config.auditor_enabled
            else None,
            webhook=webhook,
        )
        made.attach(report)
        return made

    def attach(self, report: Report) -> None:
        """From now on it hears of events, and publishes its own; the meters tell how many alerts fire and incidents are open."""
        events = report.context.events
        events.add("alerts", self.figures.takes())
        self.incidents.tell = events.publish
        self.alerts.tell = lambda moved: events.publish(_event(moved))
        self.alerts.notify = _to_nobody if self.webhook is None else self.webhook.note
        report.meters.read("alerts_firing", self._firing)
        report.meters.read("incidents_open", lambda: self.incidents.open_now)

    def _firing(self) -> dict[tuple[str, ...], float]:
        names = {name for name, _ in self.alerts.states.firing}
        return {(rule.name,): float(rule.name in names) for rule in self.alerts.states.rules}

    def jobs(self) -> Iterator[tuple[float, Job]]:
        yield _SPOOL_S, self.incidents.take_spool
        yield _KEEP_S, self.incidents.flush_incidents
        yield EVERY_S, self.alerts.look_at_alerts
        yield EVERY_S, self.figures.look_at_budgets
        yield _DISK_S, self.figures.look_at_disk
        yield _DURATIONS_S, self.figures.look_at_durations
        yield _INVESTIGATE_S, self.investigating.investigate
        if self.webhook is not None:
            yield _KEEP_S, self.webhook.send_alerts
        if self.auditor is not None:
            yield _AUDIT_S, self.auditor.audit


def _to_nobody(_moved: AlertChange) -> None:
    return


def _event(moved: AlertChange) -> AlertMoved:
    return AlertMoved(
        alert=moved.name, firing=moved.to == "firing", severity=moved.severity, text=moved.text
    )


def _rules(config: Config, problems: Problems) -> tuple[Rule, ...]:
    """Those in force; the usual ones, and a trouble, where EXAI_ALERTS_FILE cannot be used."""
    if config.alerts_file is None:
        return RULES
    try:
        return rules_of(config.alerts_file.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, ArgumentError) as fault:
        problems.note("EXAI_ALERTS_FILE", f"{config.alerts_file} is not used: {fault}")
        return RULES


def _auditor(
    config: Config,
    stores: WatchingStores,
    questions: OwnQuestions,
    figures: AlertFigures,
    alerts: Alerts,
) -> "Auditor":
    from exai_trio.monitoring.auditor.auditor import Auditor, Seen  # only where it is switched on
    from exai_trio.monitoring.auditor.pass_rules import PassRules

    def seen() -> "Seen":
        shown = figures.shown()
        firing = tuple(name for name, _ in alerts.states.firing)
        return Seen(calls=int(shown["calls"]), alerts=alerts.fired, figures=shown, firing=firing)

    return Auditor(
        store=stores.observations,
        ask=questions.ask,
        is_free=questions.is_free,
        look=seen,
        now=alerts.now,
        model=config.auditor_model,
        tokens_day=config.auditor_tokens_day,
        rules=PassRules(trio.current_time()),
    )
