"""Incidents that are to be explained, one after the other; what explains them is loaded with the first."""

import logging
from collections.abc import Callable
from importlib import import_module
from typing import Final

import trio

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.providers.own_questions import Ask
from exai_trio.storage.watching.incident_records import IncidentStore, Investigations

log = logging.getLogger("exai.incidents")

_DAY_S: Final = 86_400.0
_LEASE_S: Final = 60.0  # longer than one takes
_A_DAY: Final = 20
_TRIES: Final = 3
_INVESTIGATOR: Final = "exai_trio.incidents.investigation.investigator"


@structs.frozen(eq=False)
class Investigating:
    """Without EXAI_INVESTIGATE only those that somebody asks for."""

    config: Config
    incidents: IncidentStore
    investigations: Investigations
    ask: Ask
    now: Callable[[], float]

    async def investigate(self) -> None:
        """Explain one, if one waits and the budget of the last 24 hours has room. Raises StorageError; cancelled, its lease ends and
        somebody tries again."""
        now, unasked = self.now(), self.config.investigate
        if not await self.investigations.is_claimable(now, unasked=unasked, tries=_TRIES):
            return
        spent = await self.investigations.spent_since(now - _DAY_S)
        if spent.requests >= _A_DAY or spent.tokens >= self.config.investigator_tokens_day:
            await self.investigations.put_off(unasked=unasked)
            return
        incident = await self.investigations.claim(now, _LEASE_S, unasked=unasked, tries=_TRIES)
        if incident is None:
            return
        if incident.state == "running":
            log.warning(
                "an investigation was cut off; it is begun again", extra={"incident": incident.id}
            )
        # Not before, and beside the event loop.
        loaded = await trio.to_thread.run_sync(import_module, _INVESTIGATOR)
        investigator = loaded.Investigator(
            incidents=self.incidents,
            investigations=self.investigations,
            ask=self.ask,
            model=self.config.investigator_model,
            now=self.now,
            tries=_TRIES,
        )
        await investigator.explain(incident)
