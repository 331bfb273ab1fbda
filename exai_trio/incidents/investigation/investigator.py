"""Has a model explain incidents: one at a time, each within 30 seconds, within the budget of the day."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import ExaiError
from exai_trio.incidents.investigation.finding import answered
from exai_trio.incidents.investigation.incident_question import SYSTEM, evidence_of, question
from exai_trio.providers.own_questions import Ask, Asked
from exai_trio.storage.watching.incident_records import (
    Incident,
    IncidentStore,
    Investigations,
    Outcome,
    State,
)

log = logging.getLogger("exai.incidents")

DEADLINE_S: Final = 30.0
_SIMILAR: Final = 5
_MOST_TOKENS: Final = 4_000
_ROOT: Final = Path(__file__).parents[3]


@structs.frozen(eq=False)
class Investigator:
    incidents: IncidentStore
    investigations: Investigations
    ask: Ask
    model: str
    now: Callable[[], float]
    tries: int = 3

    async def explain(self, incident: Incident) -> Outcome:
        """Explain an incident that was claimed, and note what came of it. It takes no longer than the deadline. Raises StorageError;
        cancelled, or killed, its lease ends and somebody tries again."""
        began = trio.current_time()
        outcome = Outcome(state=self._next(incident))
        with trio.move_on_after(DEADLINE_S):
            outcome = await self._ask(incident)
        took = (trio.current_time() - began) * 1000
        done = attrs.evolve(outcome, duration_ms=round(took, 1))
        await self.investigations.finish(incident.id, done, self.now())
        log.info("incident investigated", extra={"incident": incident.id, "state": done.state})
        return done

    async def _ask(self, incident: Incident) -> Outcome:
        evidence = evidence_of(incident, await self._similar(incident))
        asked = Asked(
            model=self.model,
            system=SYSTEM,
            user=question(incident, evidence),
            most_tokens=_MOST_TOKENS,
            purpose=f"incident-{incident.id}",
        )
        try:
            said = await self.ask(asked)
        except ExaiError as fault:
            log.warning(
                "incident not investigated", extra={"incident": incident.id, "code": fault.code}
            )
            return Outcome(state=self._next(incident))
        found = answered(said.text, evidence, _is_ours)
        return Outcome(
            state="done" if found else self._next(incident),
            result=found.result if found else None,
            fix=found.fix if found else None,
            model=said.model,
            tokens=said.tokens,
            cost=said.cost,
        )

    def _next(self, incident: Incident) -> State:
        return "failed" if incident.attempts >= self.tries else "waiting"

    async def _similar(self, incident: Incident) -> list[Incident]:
        found = await self.incidents.newest(100)
        return [
            each
            for each in found
            if each.id != incident.id and each.error_type == incident.error_type
        ][:_SIMILAR]


def _is_ours(name: str) -> bool:
    path = Path(name)
    return not path.is_absolute() and ".." not in path.parts and (_ROOT / path).is_file()
