"""One daemon among others: the real sessions, calls, leases and shares, whose store, tools and provider are the universe's."""

import math
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import attrs
import trio

from exai_trio.daemon.backends import Models
from exai_trio.daemon.takeover.cluster.cluster import Cluster
from exai_trio.daemon.takeover.cluster.membership import open_membership
from exai_trio.errors import ServiceUnavailableError, StorageError
from exai_trio.providers.adaptive_limit import AdaptiveLimit
from exai_trio.storage.shared.shared_calls import DaemonFacts
from exai_trio.tools.base import Answer, Tool

from .judge import CAPACITY, Judge
from .stormy_store import StormyShared

_SPEC = spec_from_file_location("daemon_in_memory", Path(__file__).parents[2] / "daemon/conftest.py")  # fmt: skip
_IN_MEMORY = module_from_spec(_SPEC)
_SPEC.loader.exec_module(_IN_MEMORY)


@attrs.frozen
class WorkArguments:
    """Of the tools here."""

    mark: str
    seconds: float


@attrs.define(eq=False)
class Gateway(_IN_MEMORY.SilentGateway):
    """One provider, whose account all daemons share."""

    limit: AdaptiveLimit = attrs.field(factory=lambda: AdaptiveLimit(configured=CAPACITY))

    def limits(self):
        return {"glm": self.limit}


@attrs.define(eq=False)
class Machine:
    """`harmed_at` is when it was last not in touch; while it is not, that is for ever."""

    name: str
    boot: int
    shared: StormyShared
    judge: Judge
    gateway: Gateway = attrs.field(factory=Gateway)
    everything: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    house: object = None
    lives: bool = True
    harmed_at: float = -math.inf

    @property
    def is_reachable(self) -> bool:
        frozen = trio.current_time() < self.shared.frozen_until
        return self.lives and self.house is not None and not frozen

    def was_harmed_since(self, when: float) -> bool:
        return self.harmed_at >= when

    def die(self) -> None:
        self.harmed_at, self.lives, self.shared.is_away = math.inf, False, True
        self.everything.cancel()

    async def run(self, backends) -> None:
        """Until it dies. One that finds its own name taken, or no store, is started again."""
        with self.everything:
            while True:
                try:
                    await self._serve(backends)
                except* (ServiceUnavailableError, StorageError):
                    self.house = None
                await trio.sleep(1)

    async def _serve(self, backends) -> None:
        facts = self.shared.facts
        async with open_membership(facts, self.shared) as membership:
            cluster = Cluster.of(membership, *backends)
            opening = _IN_MEMORY.open_house(
                self.shared.journal_of("", 0),
                backends={"cluster": cluster, "models": Models(gateway=self.gateway)},
                tools=[self._tool("work", repeatable=True), self._tool("once", repeatable=False)],
                storage_backend="postgres",
                daemon_name=self.name,
            )
            async with opening as self.house:
                await trio.sleep_forever()

    def _tool(self, name: str, *, repeatable: bool) -> Tool:
        return Tool(
            name=name,
            description="Work.",
            arguments=WorkArguments,
            run=self._work,
            repeatable=repeatable,
            output_schema=None,
        )

    async def _work(self, arguments, _caller, _services) -> Answer:
        run = self.judge.begins(arguments.mark, self)
        try:
            async with self.gateway.limit.permit(lambda: None):
                self.judge.asks_provider(1)
                try:
                    await trio.sleep(arguments.seconds)
                finally:
                    self.judge.asks_provider(-1)
        finally:
            self.judge.ends(arguments.mark, run)
        return Answer(text=f"done by {self.name}, {self.boot}")


def machine_of(name: str, boot: int, tables, judge: Judge) -> Machine:
    facts = DaemonFacts(executor=name, name=name, boot_id=f"{name}-{boot}", address="", version="")
    return Machine(name, boot, StormyShared(tables, facts), judge)
