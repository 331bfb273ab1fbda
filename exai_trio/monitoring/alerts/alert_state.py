"""When an alert fires and when it clears. Pure: no trio, no clock, no I/O.

An alert is of a rule and a subject. Quiet: not above the bound. Pending: above it, for less than `for_s`. Firing: until its measure is at or
below the lower bound, or is no longer measured. One that fired before a restart goes on firing until the rule has seen as much as it looks
back on.
"""

from collections.abc import Iterable, Iterator
from typing import Literal

import attrs

from exai_trio import structs
from exai_trio.monitoring.alerts.alert_rules import Rule, Severity
from exai_trio.monitoring.alerts.rule_inputs import RuleInputs, Window

Key = tuple[str, str]


@structs.frozen(kw_only=True)
class AlertChange:
    """`at` is the `at` of the figures."""

    name: str
    subject: str
    to: Literal["firing", "clear"]
    severity: Severity
    text: str
    value: float
    at: float


@structs.define(eq=False)
class AlertStates:
    """`firing` has since when, of the clock of the figures, and the text."""

    rules: tuple[Rule, ...]
    window: Window = attrs.field(factory=Window)
    firing: dict[Key, AlertChange] = attrs.field(factory=dict[Key, AlertChange])
    _pending: dict[Key, float] = attrs.field(factory=dict[Key, float])
    _restored: set[Key] = attrs.field(factory=set[Key])
    _began: float | None = None

    def restore(self, before: Iterable[AlertChange]) -> None:
        """Those that fired when an earlier daemon ended; of rules that are off now none."""
        names = {rule.name for rule in self.rules}
        for moved in before:
            if moved.name in names:
                self.firing[moved.name, moved.subject] = moved
                self._restored.add((moved.name, moved.subject))

    def look(self, figures: RuleInputs) -> tuple[AlertChange, ...]:
        """What has changed with these figures."""
        self._began = figures.at if self._began is None else self._began
        self.window.add(figures)
        return tuple(moved for rule in self.rules for moved in self._look(rule, figures.at))

    def _look(self, rule: Rule, now: float) -> Iterator[AlertChange]:
        measured = rule.measure(rule, self.window)
        for subject, value in measured.items():
            if (rule.name, subject) not in self.firing and self._fires(rule, subject, value, now):
                moved = _moved(rule, subject, value, now)
                self.firing[rule.name, subject] = moved
                yield moved
        for key in [key for key in self.firing if key[0] == rule.name]:
            value = measured.get(key[1], 0.0)
            if value <= rule.clears and not self._holds(key, rule, now):
                del self.firing[key]
                self._restored.discard(key)
                yield attrs.evolve(_moved(rule, key[1], value, now), to="clear")
        for key in [key for key in self._pending if key[0] == rule.name]:
            if measured.get(key[1], 0.0) <= rule.fires:
                del self._pending[key]

    def _fires(self, rule: Rule, subject: str, value: float, now: float) -> bool:
        if value <= rule.fires:
            return False
        since = self._pending.setdefault((rule.name, subject), now)
        if now - since < rule.for_s:
            return False
        del self._pending[rule.name, subject]
        return True

    def _holds(self, key: Key, rule: Rule, now: float) -> bool:
        seen = now - (now if self._began is None else self._began)
        return key in self._restored and seen < max(rule.span_s, rule.for_s)


def _moved(rule: Rule, subject: str, value: float, now: float) -> AlertChange:
    about = f"{rule.about} ({subject})" if subject else rule.about
    return AlertChange(
        name=rule.name,
        subject=subject,
        to="firing",
        severity=rule.severity,
        text=about,
        value=value,
        at=now,
    )
