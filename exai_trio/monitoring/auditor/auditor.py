"""The auditor of one daemon: asks a model about the figures when something has happened, at most 12 times a day."""

import logging
from collections.abc import Callable, Mapping
from typing import Final

import trio

from exai_trio import structs
from exai_trio.errors import ExaiError
from exai_trio.monitoring.auditor.observations import SYSTEM, observations, question
from exai_trio.monitoring.auditor.pass_rules import A_DAY, DAY_S, PassRules
from exai_trio.providers.own_questions import Ask, Asked
from exai_trio.storage.watching.observation_records import Observation, ObservationStore

log = logging.getLogger("exai.auditor")

_DEADLINE_S: Final = 60.0
_MOST_TOKENS: Final = 2_000


@structs.frozen(kw_only=True)
class Seen:
    """`calls` and `alerts` count those since the start; `figures` are aggregates, by name; `firing` are names of alerts."""

    calls: int
    alerts: int
    figures: Mapping[str, float]
    firing: tuple[str, ...] = ()


@structs.frozen(kw_only=True, eq=False)
class Auditor:
    """`is_free` says whether the model costs nothing; one that may cost something is asked only with `tokens_day`."""

    store: ObservationStore
    ask: Ask
    is_free: Callable[[str], bool]
    look: Callable[[], Seen]
    now: Callable[[], float]
    model: str
    tokens_day: int
    rules: PassRules

    async def audit(self) -> None:
        """One pass, if one is due. Raises StorageError; cancelled, nothing of it is kept."""
        seen, now = self.look(), trio.current_time()
        if not self.rules.is_due(now, seen.calls, seen.alerts) or not await self._may():
            return
        self.rules.began(now, seen.calls, seen.alerts)
        found: tuple[Observation, ...] | None = None
        tokens = 0
        with trio.move_on_after(_DEADLINE_S):
            found, tokens = await self._pass(seen)
        new = await self.store.add(found or (), tokens, self.now())
        self.rules.ended(trio.current_time(), good=found is not None)
        log.info(
            "audited", extra={"observations": new, "outcome": "failed" if found is None else "ok"}
        )

    async def _may(self) -> bool:
        spent = await self.store.passes_since(self.now() - DAY_S)
        if spent.requests >= A_DAY or (self.tokens_day and spent.tokens >= self.tokens_day):
            return False
        try:
            free = bool(self.tokens_day) or self.is_free(self.model)
        except ExaiError as fault:
            log.warning("no audit", extra={"model": self.model, "code": fault.code})
            return False
        if not free:
            log.warning(
                "no audit: the model may cost money, and AUDITOR_TOKENS_DAY is not set",
                extra={"model": self.model},
            )
        return free

    async def _pass(self, seen: Seen) -> tuple[tuple[Observation, ...] | None, int]:
        """What was observed, None for no answer, and the tokens that it took."""
        asked = Asked(
            model=self.model,
            system=SYSTEM,
            user=question(seen.figures, seen.firing),
            most_tokens=_MOST_TOKENS,
            purpose="audit",
        )
        try:
            said = await self.ask(asked)
        except ExaiError as fault:
            log.warning("audit failed", extra={"code": fault.code})
            return None, 0
        return observations(said.text, seen.figures, self.now()), said.tokens
