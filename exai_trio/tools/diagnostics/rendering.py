"""Facts about the daemon and its providers as lines for a person; whatever is missing is left out. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import attrs

# What a glance at a provider leaves out: long, or the same every day.
NOT_AT_A_GLANCE = frozenset({"base_url", "capabilities", "max_inflight", "models", "title"})

_SUMMARY = ("sessions", "connections", "calls", "tool_count", "simulator")


def as_mapping(facts: object) -> Mapping[str, Any]:
    """Facts that come as a record or as a mapping, as a mapping."""
    if isinstance(facts, Mapping):
        return cast("Mapping[str, Any]", facts)
    return attrs.asdict(cast("attrs.AttrsInstance", facts))


def headline(health: Mapping[str, Any]) -> str:
    parts = [f"EXAI {health.get('version') or '(version unknown)'}"]
    if status := health.get("status"):
        parts.append(str(status))
    if uptime := health.get("uptime_human") or _seconds(health.get("uptime_s")):
        parts.append(f"up {uptime}")
    if boot := health.get("boot_id"):
        parts.append(f"boot {boot}")
    return ", ".join(parts)


def overview(health: Mapping[str, Any]) -> list[str]:
    """Sessions, calls and permits, a line each."""
    lines = [
        f"{_label(key)}: {flat(health[key])}"
        for key in _SUMMARY
        if _says_something(health.get(key))
    ]
    return lines + permits(health.get("permits"))


def permits(found: Mapping[str, Any] | None) -> list[str]:
    """One line per limit on calls at once."""
    found = found or {}
    limits: dict[str, Mapping[str, Any]] = {
        "all calls": found.get("global") or {},
        **(found.get("providers") or {}),
    }
    return [
        f"permits, {name}: {limit.get('current', '?')} of {limit.get('expected', '?')} free,"
        f" {limit.get('waiting', 0)} waiting"
        for name, limit in limits.items()
        if limit
    ]


def providers(found: Iterable[object], *, leave_out: frozenset[str] = frozenset()) -> list[str]:
    """One line per provider: its name, whether it is configured, and its other facts."""
    return [_provider(as_mapping(facts), leave_out) for facts in found]


def _provider(facts: Mapping[str, Any], leave_out: frozenset[str]) -> str:
    state = "configured" if facts.get("configured", True) else "not configured"
    rest = {
        key: value
        for key, value in facts.items()
        if key not in {"name", "configured"} | leave_out and _says_something(value)
    }
    return f"{facts.get('name', '?')}: {state}" + (f", {flat(rest)}" if rest else "")


def flat(value: object) -> str:
    """Any plain data on one line."""
    match value:
        case Mapping():
            found = cast("Mapping[str, object]", value)
            return ", ".join(f"{_label(key)} {_nested(inner)}" for key, inner in found.items())
        case list() | tuple():
            return ", ".join(_nested(each) for each in cast("Sequence[object]", value))
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def _nested(value: object) -> str:
    text = flat(value)
    return f"({text})" if isinstance(value, Mapping | list | tuple) else text


def _label(key: object) -> str:
    return str(key).replace("_", " ")


def _seconds(value: object) -> str:
    return f"{value:.0f} s" if isinstance(value, int | float) else ""


def _says_something(value: object) -> bool:
    return value is not None and value is not False and value not in ("", (), [], {})


def section(title: str, lines: Iterable[str]) -> list[str]:
    """A titled block, or nothing if it would be empty."""
    found = list(lines)
    return ["", f"{title}:", *(f"  {line}" for line in found)] if found else []
