"""EXAI_ALERTS_FILE: TOML with a table for each rule whose bounds are to be others, or that is to be off. Pure: text only."""

import tomllib
from collections.abc import Mapping
from typing import Any, Final, cast

import attrs

from exai_trio.errors import ArgumentError
from exai_trio.monitoring.alerts.alert_rules import BY_NAME, RULES, Rule

_SEVERITIES: Final = ("critical", "high", "medium", "low")
_KEYS: Final = ("enabled", "fires", "clears", "for_s", "severity", "tools")


def rules_of(text: str) -> tuple[Rule, ...]:
    """The rules in force. Raises ArgumentError, which says what is wrong and what is right."""
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise ArgumentError(f"it is no TOML: {fault}") from fault
    for name, table in told.items():
        if name not in BY_NAME or not isinstance(table, dict):
            raise ArgumentError(f"[{name}] is no alert; there are {', '.join(BY_NAME)}")
    changed = (_changed(rule, told.get(rule.name, {})) for rule in RULES)
    return tuple(rule for rule in changed if rule is not None)


def _changed(rule: Rule, table: Mapping[str, Any]) -> Rule | None:
    for key in table:
        if key not in _KEYS or (key == "tools" and rule.name != "latency"):
            raise ArgumentError(
                f"[{rule.name}] knows no {key!r}; {', '.join(_KEYS)} may stand there"
            )
    if _taken(rule, table, "enabled", bool, default=True) is False:
        return None
    fires = _number(rule, table, "fires", rule.fires)
    moved = attrs.evolve(
        rule,
        fires=fires,
        clears=_number(rule, table, "clears", min(rule.clears * _ratio(fires, rule.fires), fires)),
        for_s=_number(rule, table, "for_s", rule.for_s),
        severity=_taken(rule, table, "severity", str, default=rule.severity),
        tools=_tools(rule, table),
    )
    if moved.clears > moved.fires:
        raise ArgumentError(
            f"[{rule.name}] clears at {moved.clears:g}, above {moved.fires:g} where it fires"
        )
    if moved.severity not in _SEVERITIES:
        raise ArgumentError(f"[{rule.name}] severity is one of {', '.join(_SEVERITIES)}")
    return moved


def _ratio(fires: float, before: float) -> float:
    """A lower bound that is not given moves with the upper one."""
    return fires / before if before else 1.0


def _tools(rule: Rule, table: Mapping[str, Any]) -> dict[str, float]:
    tools = cast("dict[str, Any]", _taken(rule, table, "tools", dict, default={}))
    return {name: _number(rule, tools, name, 0.0) for name in tools}


def _number(rule: Rule, table: Mapping[str, Any], key: str, default: float) -> float:
    value = table.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise ArgumentError(f"[{rule.name}] {key} is a number from 0 up, not {value!r}")
    return float(value)


def _taken(rule: Rule, table: Mapping[str, Any], key: str, kind: type, *, default: Any) -> Any:
    value = table.get(key, default)
    if not isinstance(value, kind):
        raise ArgumentError(f"[{rule.name}] {key} is no {kind.__name__}: {value!r}")
    return value
