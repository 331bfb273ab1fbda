"""The rules of alerts as one table, which makes the defaults, the documentation and the rules for Prometheus. Pure: no trio, no clock, no I/O."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Final, Literal

import attrs

from exai_trio import structs
from exai_trio.monitoring.alerts.rule_inputs import Window, p95

Severity = Literal["critical", "high", "medium", "low"]
Measured = Mapping[str, float]
MIB: Final = 1024 * 1024
GIB: Final = 1024 * MIB


@structs.frozen(kw_only=True)
class Rule:
    """Fires for a subject whose measure has been above `fires` for `for_s` seconds; clears when it is at or below `clears`. `span_s` is how
    far back it looks; `tools` are bounds of one's own for tools' times, in seconds; `expr` says the same to Prometheus, "" where it has no
    figure of that."""

    name: str
    severity: Severity
    about: str
    measure: Callable[["Rule", Window], Measured]
    fires: float
    clears: float
    for_s: float = 0.0
    span_s: float = 0.0
    expr: str = ""
    tools: Mapping[str, float] = attrs.field(factory=dict[str, float])


def _reconnects(_: Rule, window: Window) -> Measured:
    return {_unnamed(client): count for client, count in window.now.connects.items()}


def _unnamed(client: str) -> str:
    """Clients choose their names: who hears of an alert hears none."""
    return sha256(client.encode(errors="replace")).hexdigest()[:8]


def _terminal_attaches(_: Rule, window: Window) -> Measured:
    return {_unnamed(client): count for client, count in window.now.terminal_attaches.items()}


_FEWEST_CREATIONS: Final = 20


def _terminal_creations(_: Rule, window: Window) -> Measured:
    count = window.now.terminal_creations
    return {"": window.now.terminal_creations_failed / count} if count >= _FEWEST_CREATIONS else {}


def _terminal_connections(_: Rule, window: Window) -> Measured:
    return {"": window.now.terminal_connections}


_FEWEST_CALLS: Final = 100


def _error_rate(rule: Rule, window: Window) -> Measured:
    before, now = window.before(rule.span_s), window.now
    calls = now.calls - before.calls
    return {"": (now.failures - before.failures) / calls} if calls >= _FEWEST_CALLS else {}


_MANY_CONNECTIONS: Final = 1000
_NEARLY_ALL: Final = 0.9


def _connections(_: Rule, window: Window) -> Measured:
    most = window.now.most_connections or _MANY_CONNECTIONS
    return {"": window.now.connections / min(_MANY_CONNECTIONS, _NEARLY_ALL * most)}


def _journal(_: Rule, window: Window) -> Measured:
    return dict.fromkeys(window.now.store_faults, 1.0)


_LEAST_SHARE: Final = 0.05


def _disk(_: Rule, window: Window) -> Measured:
    """How many times less than there should be."""
    free, size = window.now.disk_free, window.now.disk_size
    if free is None or size is None:
        return {}
    return {"": max(GIB, _LEAST_SHARE * size) / max(free, 1)}


def _providers_down(rule: Rule, window: Window) -> Measured:
    now = window.now
    refused = dict.fromkeys(now.keys_refused, 2 * rule.fires)
    return {name: window.open_s(name) for name in now.breakers_open} | refused


def _breakers(_: Rule, window: Window) -> Measured:
    return dict.fromkeys(window.now.breakers_open, 1.0)


_FEWEST_OF_A_TOOL: Final = 30


def _latency(rule: Rule, window: Window) -> Measured:
    """As a multiple of what is usual; of a bound of one's own in such units that it fires above it."""
    before, now = window.before(rule.span_s).durations, window.now
    found: dict[str, float] = {}
    for tool, counts in now.durations.items():
        earlier = before.get(tool, (0,) * len(counts))
        lately = tuple(a - b for a, b in zip(counts, earlier, strict=True))
        usual = now.usual_p95_s.get(tool, 0.0)
        least = rule.tools[tool] / rule.fires if tool in rule.tools else usual
        if least > 0 and sum(lately) >= _FEWEST_OF_A_TOOL:
            found[tool] = p95(now.bounds_s, lately) / least
    return found


_YOUNG_S: Final = 1800.0
_GROWTH_SHARE: Final = 0.05


def _memory(_: Rule, window: Window) -> Measured:
    """MiB an hour, where that is also more than a twentieth of all."""
    now, growth = window.now, window.growth_per_h
    if now.resident_bytes is None or now.uptime_s <= _YOUNG_S:
        return {}
    return {"": growth / MIB} if growth > _GROWTH_SHARE * now.resident_bytes else {}


def _queue(_: Rule, window: Window) -> Measured:
    return {"": window.now.permits_waiting}


def _loop(rule: Rule, window: Window) -> Measured:
    return {"": window.now.long_steps - window.before(rule.span_s).long_steps}


def _jobs(_: Rule, window: Window) -> Measured:
    return dict.fromkeys(window.now.jobs_given_up, 1.0)


_BUDGET_STEPS: Final = {"80 %": 0.8, "100 %": 1.0}


def _budget(_: Rule, window: Window) -> Measured:
    share = window.now.budget_share
    return {} if share is None else {step: share / of for step, of in _BUDGET_STEPS.items()}


def _auth(rule: Rule, window: Window) -> Measured:
    return {"": window.now.auth_refused - window.before(rule.span_s).auth_refused}


def _incidents(rule: Rule, window: Window) -> Measured:
    return {"": window.now.fresh_incidents - window.before(rule.span_s).fresh_incidents}


# How a registry that cannot be asked is called among troubles.
REGISTRY_AWAY: Final = "registry of tokens"


def _registry(_: Rule, window: Window) -> Measured:
    return {"": 1.0} if REGISTRY_AWAY in window.now.troubles else {}


_USERS_FAULTS: Final = "client|validation|authentication"

RULES: Final[tuple[Rule, ...]] = (
    Rule(
        name="reconnect_storm", severity="critical", measure=_reconnects, fires=10, clears=5, span_s=60,
        about="one client connects more than 10 times a minute",
    ),
    Rule(
        name="error_rate", severity="high", measure=_error_rate, fires=0.01, clears=0.008, span_s=300,
        about="more than 1 % of at least 100 calls in 5 minutes failed; what clients did wrong and what they cancelled is not counted",
        expr=(
            f'sum(increase(exai_errors_total{{category!~"{_USERS_FAULTS}"}}[5m])) / sum(increase(exai_calls_total[5m])) > 0.01'
            " and sum(increase(exai_calls_total[5m])) >= 100"
        ),
    ),
    Rule(
        name="connections", severity="medium", measure=_connections, fires=1.0, clears=0.9,
        about="more than 1,000 connections, or 90 % of MAX_CONNECTIONS if that is less",
        expr="exai_connections_open > 1000",
    ),
    Rule(
        name="journal", severity="critical", measure=_journal, fires=0.5, clears=0.0,
        about="the store takes nothing, or a damaged file was set aside",
        expr="exai_store_up == 0",
    ),
    Rule(
        name="disk", severity="high", measure=_disk, fires=1.0, clears=0.9,
        about="less than 1 GiB or 5 % of the disk is free",
    ),
    Rule(
        name="provider_down", severity="critical", measure=_providers_down, fires=60, clears=0.0,
        about="a provider refuses our key, or its breaker has been open for more than 60 seconds",
        expr='max by (breaker) (exai_breaker_state{state="open"}) == 1',
    ),
    Rule(
        name="breaker_open", severity="medium", measure=_breakers, fires=0.5, clears=0.0,
        about="a breaker is open: its provider is not asked",
        expr='max by (breaker) (exai_breaker_state{state="open"}) == 1',
    ),
    Rule(
        name="latency", severity="medium", measure=_latency, fires=3.0, clears=2.5, span_s=600,
        about="the p95 of a tool's last 10 minutes (30 calls or more) is over 3 times that of its last 7 days, or over the bound set for it",
        expr=(
            "histogram_quantile(0.95, sum by (le, tool) (rate(exai_call_duration_seconds_bucket[10m])))"
            " > 3 * histogram_quantile(0.95, sum by (le, tool) (rate(exai_call_duration_seconds_bucket[7d])))"
            " and sum by (tool) (increase(exai_call_duration_seconds_count[10m])) >= 30"
        ),
    ),
    Rule(
        name="memory", severity="medium", measure=_memory, fires=64, clears=48, span_s=3600,
        about="memory grows by more than 64 MiB and 5 % an hour: the median slope of each minute's least, over 60 minutes, from 30 minutes on",
        expr="deriv(min_over_time(process_resident_memory_bytes[1m])[1h:1m]) * 3600 > 67108864",
    ),
    Rule(
        name="queue", severity="medium", measure=_queue, fires=0, clears=0, for_s=300,
        about="calls have waited for permits for 5 minutes on end",
        expr="sum(exai_permits_waiting) > 0",
    ),
    Rule(
        name="loop", severity="medium", measure=_loop, fires=4, clears=2, span_s=60,
        about="5 steps of the event loop in a minute took more than 50 ms",
        expr=(
            'sum(increase(exai_loop_step_seconds_count[1m])) - sum(increase(exai_loop_step_seconds_bucket{le="0.05"}[1m])) >= 5'
        ),
    ),
    Rule(
        name="job", severity="high", measure=_jobs, fires=0.5, clears=0.0,
        about="a job of the daemon gave up",
    ),
    Rule(
        name="budget", severity="medium", measure=_budget, fires=0.999, clears=0.95,
        about="80 % of a budget of tokens are spent today, or all of it",
        expr="exai_budget_spent_ratio >= 0.8",
    ),
    Rule(
        name="auth", severity="medium", measure=_auth, fires=19, clears=10, span_s=60,
        about="20 connections or requests a minute were refused for their token",
        expr='sum(increase(exai_auth_total{result!="ok"}[1m])) >= 20',
    ),
    Rule(
        name="registry", severity="high", measure=_registry, fires=0.5, clears=0.0,
        about="the registry of tokens cannot be asked: nobody new is let in by a JWT, and each daemon counts rates alone",
    ),
    Rule(
        name="incident", severity="low", measure=_incidents, fires=0, clears=0, span_s=300,
        about="an incident is new, or has come back after it was resolved",
        expr="sum(increase(exai_incidents_total[5m])) > 0",
    ),
    Rule(
        name="terminal_attaches", severity="critical", measure=_terminal_attaches, fires=10, clears=5,
        about="one client attached to terminals more than 10 times within a minute",
    ),
    Rule(
        name="terminal_creations", severity="high", measure=_terminal_creations, fires=0.01, clears=0.008,
        about="more than 1 % of at least 20 terminals of the last hour could not be started",
        expr=(
            'sum(increase(exai_terminal_creations_total{result="failed"}[1h])) / sum(increase(exai_terminal_creations_total[1h])) > 0.01'
            " and sum(increase(exai_terminal_creations_total[1h])) >= 20"
        ),
    ),
    Rule(
        name="terminal_connections", severity="medium", measure=_terminal_connections, fires=1000, clears=900,
        about="more than 1,000 connections of terminals",
        expr="exai_terminal_connections > 1000",
    ),
)  # fmt: skip
BY_NAME: Final = {rule.name: rule for rule in RULES}
