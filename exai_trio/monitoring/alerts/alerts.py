"""The alerts of one daemon: looked at each five seconds, told when they move, kept over restarts."""

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs

from exai_trio import structs
from exai_trio.monitoring.alerts.alert_rules import BY_NAME
from exai_trio.monitoring.alerts.alert_state import AlertChange, AlertStates
from exai_trio.monitoring.alerts.rule_inputs import RuleInputs
from exai_trio.observability.times import rfc3339
from exai_trio.storage.watching.alert_records import AlertStore, FiringAlert

log = logging.getLogger("exai.alerts")

_TROUBLES: Final = frozenset({"critical", "high"})
_TOLD_BY_THEMSELVES: Final = frozenset(
    {"journal", "job", "registry"}
)  # who has these names them among the troubles
_MOST_UNKEPT: Final = 1_000


def _to_nobody(_moved: AlertChange) -> None:
    return


@structs.define(eq=False)
class Alerts:
    """`trouble` hears of what is high or critical, `tell` of each the moment it moves, `notify` of those that are not silenced. `now` is unix seconds;
    `silenced` says until when; `fired` counts since the start."""

    states: AlertStates
    store: AlertStore
    figures: Callable[[], RuleInputs]
    now: Callable[[], float]
    trouble: Callable[[str, str | None], None]
    tell: Callable[[AlertChange], None] = _to_nobody
    notify: Callable[[AlertChange], None] = _to_nobody
    silenced: dict[str, float] = attrs.field(factory=dict[str, float])
    since: dict[tuple[str, str], float] = attrs.field(factory=dict[tuple[str, str], float])
    fired: int = 0
    _unkept: list[AlertChange] = attrs.field(factory=list[AlertChange])
    _begun: bool = False

    async def look_at_alerts(self) -> None:
        """Look once. Raises StorageError, after all have heard of what moved; it is kept the next time. Cancelling may leave it unkept."""
        if not self._begun:
            await self._begin()
        moved = self.states.look(self.figures())
        for each in moved:
            self._note(each)
        self._unkept = [*self._unkept, *moved][-_MOST_UNKEPT:]
        await self._keep()

    async def silence(self, name: str, for_s: float, by: str) -> None:
        """Nobody hears of it for so long. Raises StorageError; cancelled, it is done or not."""
        await self.store.silence(name, self.now() + for_s, by)
        self.silenced[name] = self.now() + for_s
        for rule, subject in self.states.firing:
            if rule == name:
                self.trouble(_called(rule, subject), None)

    async def unsilence(self, name: str, by: str) -> None:
        """It is heard of again. Raises StorageError; cancelled, it is done or not."""
        await self.store.silence(name, self.now(), by)
        self.silenced.pop(name, None)
        for each in self.states.firing.values():
            self._note_trouble(each)

    def told(self) -> list[dict[str, Any]]:
        """Those that fire, as plain data."""
        return [
            {
                "name": name,
                "subject": subject,
                "severity": moved.severity,
                "text": moved.text,
                "value": moved.value,
                "since": rfc3339(self.since[name, subject]),
                "silenced": self.is_silenced(name),
            }
            for (name, subject), moved in self.states.firing.items()
        ]

    def is_silenced(self, name: str) -> bool:
        return self.silenced.get(name, 0.0) > self.now()

    async def _begin(self) -> None:
        """Also where the store cannot tell what fired before: then nothing did."""
        self._begun = True
        kept = await self.store.kept(self.now())
        self.silenced.update(kept.silenced)
        self.since.update({(each.name, each.subject): each.since for each in kept.firing})
        self.states.restore(map(_again, kept.firing))
        for name, subject in self.states.firing:
            self._note_trouble(self.states.firing[name, subject])

    async def _keep(self) -> None:
        """What moved, and who was silenced by others meanwhile."""
        moved = self._unkept
        if moved:
            await self.store.move(list(self._now_firing(moved)), _cleared(moved))
            self._unkept = self._unkept[len(moved) :]
        self.silenced = dict((await self.store.kept(self.now())).silenced)
        for each in self.states.firing.values():
            self._note_trouble(each)

    def _now_firing(self, moved: list[AlertChange]) -> Iterator[FiringAlert]:
        for each in moved:
            key = each.name, each.subject
            if each.to == "firing" and key in self.states.firing:
                yield FiringAlert(
                    name=each.name,
                    subject=each.subject,
                    severity=each.severity,
                    text=each.text,
                    since=self.since[key],
                )

    def _note(self, moved: AlertChange) -> None:
        key = moved.name, moved.subject
        if moved.to == "firing":
            self.since[key] = self.now()
            self.fired += 1
        else:
            self.since.pop(key, None)
        silenced = self.is_silenced(moved.name)
        keys = {
            "alert": moved.name,
            "what": moved.subject,
            "severity": moved.severity,
            "silenced": silenced,
        }
        if moved.to == "clear":
            log.info("an alert is over", extra=keys)
        elif moved.name == "breaker_open":
            log.error("a breaker is open", extra=keys)
        else:
            log.warning("an alert fires", extra=keys | {"value": moved.value})
        self._note_trouble(moved)
        self.tell(moved)
        if not silenced:
            self.notify(moved)

    def _note_trouble(self, moved: AlertChange) -> None:
        if moved.severity not in _TROUBLES or moved.name in _TOLD_BY_THEMSELVES:
            return
        over = moved.to == "clear" or self.is_silenced(moved.name)
        self.trouble(_called(moved.name, moved.subject), None if over else moved.text)


def _called(name: str, subject: str) -> str:
    return f"alert {name} {subject}".rstrip()


def _again(kept: FiringAlert) -> AlertChange:
    rule = BY_NAME.get(kept.name)
    return AlertChange(
        name=kept.name,
        subject=kept.subject,
        to="firing",
        severity=rule.severity if rule else "low",
        text=kept.text,
        value=0.0,
        at=0.0,
    )


def _cleared(moved: list[AlertChange]) -> list[tuple[str, str]]:
    return [(each.name, each.subject) for each in moved if each.to == "clear"]


def rules_told(states: AlertStates, silenced: Mapping[str, float]) -> list[dict[str, Any]]:
    """The rules in force, as plain data."""
    return [
        {
            "name": rule.name,
            "severity": rule.severity,
            "about": rule.about,
            "fires": rule.fires,
            "clears": rule.clears,
            "for_s": rule.for_s,
            "silenced_until": rfc3339(silenced[rule.name]) if rule.name in silenced else None,
        }
        for rule in states.rules
    ]
