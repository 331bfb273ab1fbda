"""Each rule of alerts by the virtual clock: it fires when it should, holds, does not flap at its bound, clears, and outlives a restart."""

import math

import attrs
import pytest

from exai_trio.monitoring.alerts.alert_rules import BY_NAME, GIB, MIB, REGISTRY_AWAY, RULES
from exai_trio.monitoring.alerts.alert_state import AlertStates
from exai_trio.monitoring.alerts.rule_inputs import EVERY_S, RuleInputs

BOUNDS = (1.0, 10.0, 60.0)
SIZE = 100 * GIB


@attrs.frozen
class Case:
    """RuleInputs that fire, that lie between the bounds, and that clear, each by seconds since they began; counters go on from what they were
    before. `within` is the longest that it may take to fire, `clears` to clear."""

    name: str
    fires: object
    between: object
    calm: object
    within: float = EVERY_S
    clears: float = EVERY_S
    subject: str = ""


def rates(field, per_minute, **more):
    return lambda s: {field: per_minute * s / 60} | {k: v * s / 60 for k, v in more.items()}


def still(**fields):
    return lambda _s: fields


def durations(slow_per_minute):
    return lambda s: {"durations": {"chat": (math.floor(60 * s / 60), math.floor(slow_per_minute * s / 60), 0, 0)}}  # fmt: skip


CASES = [
    Case("reconnect_storm", still(connects={"laptop": 11}), still(connects={"laptop": 8}), still(connects={"laptop": 2}), 5, 5, "5eec0dc4"),
    Case("error_rate", rates("failures", 12, calls=600), rates("failures", 5.4, calls=600), rates("failures", 0, calls=600), 30, 310),
    Case("connections", still(connections=91), still(connections=86), still(connections=50)),
    Case("journal", still(store_faults=frozenset({"store"})), still(store_faults=frozenset({"store"})), still(), subject="store"),
    Case("disk", still(disk_free=4 * GIB, disk_size=SIZE), still(disk_free=int(5.3 * GIB), disk_size=SIZE), still(disk_free=9 * GIB, disk_size=SIZE)),
    Case("provider_down", still(breakers_open=frozenset({"glm"})), still(breakers_open=frozenset({"glm"})), still(), 70, subject="glm"),
    Case("breaker_open", still(breakers_open=frozenset({"glm"})), still(breakers_open=frozenset({"glm"})), still(), subject="glm"),
    Case("latency", durations(60), durations(60), durations(0), 60, 610, "chat"),
    Case("queue", still(permits_waiting=1), still(permits_waiting=1), still(permits_waiting=0), 305),
    Case("loop", rates("long_steps", 10), rates("long_steps", 3.5), rates("long_steps", 1), 40, 70),
    Case("job", still(jobs_given_up=frozenset({"flush"})), still(jobs_given_up=frozenset({"flush"})), still(), subject="flush"),
    Case("budget", still(budget_share=1.0), still(budget_share=0.97), still(budget_share=0.5), subject="100 %"),
    Case("auth", rates("auth_refused", 40), rates("auth_refused", 15), rates("auth_refused", 0), 40, 70),
    Case("registry", still(troubles=frozenset({REGISTRY_AWAY})), still(troubles=frozenset({REGISTRY_AWAY})), still()),
    Case("incident", still(fresh_incidents=1), still(fresh_incidents=1), still(fresh_incidents=1), clears=310),
    Case("terminal_attaches", still(terminal_attaches={"laptop": 11}), still(terminal_attaches={"laptop": 8}), still(terminal_attaches={"laptop": 2}), subject="5eec0dc4"),
    Case("terminal_creations", still(terminal_creations=20, terminal_creations_failed=1), still(terminal_creations=110, terminal_creations_failed=1), still(terminal_creations=200, terminal_creations_failed=1)),
    Case("terminal_connections", still(terminal_connections=1001), still(terminal_connections=1000), still(terminal_connections=900)),
]  # fmt: skip


class Run:
    """One daemon's figures, each five seconds. Counters never fall while it runs."""

    def __init__(self, name, states=None):
        self.states = states or AlertStates((BY_NAME[name],))
        self.now = 0.0
        self.totals = {}
        self.look(still(), 700)  # long enough that every window is full

    def look(self, figures, seconds):
        """What moved, and when, since these figures began."""
        began, before, moved = self.now, dict(self.totals), []
        while self.now < began + seconds:
            self.now += EVERY_S
            fields = {key: self._added(before, key, value) for key, value in figures(self.now - began).items()}  # fmt: skip
            self.totals = before | fields
            seen = self.states.look(
                RuleInputs(
                    at=self.now,
                    uptime_s=self.now,
                    most_connections=100,
                    bounds_s=BOUNDS,
                    usual_p95_s={"chat": 1.0},
                    **(
                        {"connects": {"laptop": 0}, "durations": {"chat": (0, 0, 0, 0)}}
                        | counters(self.totals)
                        | fields
                    ),
                )
            )
            moved += [(self.now - began, each) for each in seen]
        return moved

    def _added(self, before, key, value):
        match before.get(key), value:
            case dict() as old, dict():
                return {k: self._added(old, k, v) for k, v in value.items()}
            case tuple() as old, tuple():
                return tuple(a + b for a, b in zip(old, value, strict=True))
            case (int() | float()) as old, _ if key in RISING:
                return old + value
        return value


RISING = {"calls", "failures", "long_steps", "auth_refused"}


def counters(totals):
    return {key: totals[key] for key in totals if key in RISING or key in {"durations", "fresh_incidents"}}  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_fires_holds_does_not_flap_and_clears(case):
    run = Run(case.name)
    fired = run.look(case.fires, case.within + 300)
    ours = [(at, each) for at, each in fired if each.subject == case.subject]
    held = [] if case.name == "incident" else run.look(case.between, 60)
    back = [] if case.name == "incident" else run.look(case.fires, 60)
    if case.name == "incident":
        assert ["firing", "clear"] == [each.to for _, each in fired]
        return
    cleared = [each for each in run.look(case.calm, case.clears + 60) if each[1].subject == case.subject]  # fmt: skip

    assert ["firing"] == [each.to for _, each in ours]
    assert ours[0][0] <= case.within
    assert [] == [each for each in (*held, *back) if each[1].subject == case.subject]
    assert ["clear"] == [each.to for _, each in cleared]
    assert cleared[0][0] <= case.clears


_ONLY_ON_OR_OFF = {"incident", "latency", "journal", "breaker_open", "job", "registry"}


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name not in _ONLY_ON_OR_OFF], ids=lambda case: case.name
)
def test_below_its_bound_it_never_fires(case):
    run = Run(case.name)
    within = 55 if case.name in {"provider_down", "queue"} else 600

    assert [] == [each for _, each in run.look(case.between, within) if each.subject == case.subject]  # fmt: skip


def test_each_rule_has_a_case():
    assert {rule.name for rule in RULES} == {case.name for case in CASES} | {"memory"}


def minutes(states, start, count, resident):
    """The alerts that move in so many minutes, of the memory at each look."""
    looks = range(int(count * 60 / EVERY_S))
    figures = (RuleInputs(at=start + n * EVERY_S, uptime_s=start + n * EVERY_S, resident_bytes=int(resident(start + n * EVERY_S))) for n in looks)  # fmt: skip
    return [moved for each in figures for moved in states.look(each)]


@pytest.mark.parametrize("period_min", [1.7, 5, 13, 24])
def test_a_sawtooth_of_200_mib_never_fires(period_min):
    def saw(s):
        return 300 * MIB + 200 * MIB * ((s / 60 / period_min) % 1.0)

    assert [] == minutes(AlertStates((BY_NAME["memory"],)), 0, 180, saw)


def test_a_leak_of_2_mib_a_minute_fires_once_and_clears_when_it_has_stopped():
    """On top of a sawtooth, too; not within the first half hour."""
    states = AlertStates((BY_NAME["memory"],))

    def leak(s):
        return 300 * MIB + 2 * MIB * s / 60 + 40 * MIB * ((s / 420) % 1.0)

    assert [] == minutes(states, 0, 30, leak)
    assert ["firing"] == [each.to for each in minutes(states, 1800, 60, leak)]
    flat = leak(5400)
    assert ["clear"] == [each.to for each in minutes(states, 5400, 120, lambda _s: flat)]


def test_what_fired_before_a_restart_goes_on_until_its_window_is_full():
    """It is not told again, and clears when the rule has seen enough."""
    before = Run("error_rate")
    (_, fired), *_ = before.look(CASES[1].fires, 60)
    states = AlertStates((BY_NAME["error_rate"],))
    states.restore([fired])
    moved = [
        (n * EVERY_S, each.to)
        for n in range(100)
        for each in states.look(RuleInputs(at=n * EVERY_S, uptime_s=n * EVERY_S))
    ]

    assert [(300.0, "clear")] == moved
