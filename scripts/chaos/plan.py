"""Which scenarios are played, how often, and side by side: a scenario's cycles are divided among worlds of their own."""

import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

import attrs
import trio

from .children import NotStarted
from .report import Outcome
from .scenarios import SCENARIOS
from .trial import Trial

_TELL_S = 60.0


@attrs.define
class Play:
    """Some of a scenario's cycles, in one world."""

    trial: Trial
    seconds: float = 0.0

    async def run(self) -> None:
        """What goes wrong in the scenario itself is noted as broken. A Ctrl-C goes on."""
        began = time.perf_counter()
        trial = self.trial
        try:
            await SCENARIOS[trial.name].play(trial)
        except* NotStarted as group:
            trial.broken.append(f"cycle {trial.done}: {group.exceptions}")
        except* Exception as group:  # noqa: BLE001  # told to the trial and to the reader
            trial.broken.append(f"cycle {trial.done}: {group!r}")
            sys.excepthook(type(group), group, group.__traceback__)
        finally:
            self.seconds = time.perf_counter() - began


@attrs.frozen
class Plan:
    """`plays` in the order in which they begin; `skipped` says why a scenario has none."""

    plays: Sequence[Play]
    skipped: Mapping[str, str]
    jobs: int

    async def run(self) -> None:
        """So many plays at a time as there are jobs; how far they are is told each minute."""
        waiting = iter(self.plays)
        async with trio.open_nursery() as telling:
            telling.start_soon(self._tell)
            async with trio.open_nursery() as playing:
                for _ in range(self.jobs):
                    playing.start_soon(_play_all, waiting)
            telling.cancel_scope.cancel()

    async def _tell(self) -> None:
        while True:
            await trio.sleep(_TELL_S)
            done, broken = (sum(counts) for counts in zip(*((play.trial.done, len(play.trial.broken)) for play in self.plays), strict=True))  # fmt: skip
            print(f"{done} cycles begun, {broken} broken", file=sys.stderr, flush=True)

    def outcomes(self) -> list[Outcome]:
        """One for each scenario, whatever came of it so far."""
        found: dict[str, Outcome] = {}
        for play in self.plays:
            name = play.trial.name
            before = found.get(name)
            trial = before.trial.with_(play.trial) if before and before.trial else play.trial
            seconds = max(before.seconds if before else 0.0, play.seconds)
            found[name] = Outcome(name, trial, seconds=seconds)
        skipped = [Outcome(name, skipped=reason) for name, reason in self.skipped.items()]
        return [*found.values(), *skipped]


async def _play_all(plays: Iterator[Play]) -> None:
    for play in plays:
        print(f"{play.trial.name} …", file=sys.stderr, flush=True)
        await play.run()


def planned(wanted: Mapping[str, int], seed: int, jobs: int, *, forked: bool = False) -> Plan:
    """`wanted` is cycles by scenario. Each play has moments of its own that the seed determines."""
    reasons = {name: SCENARIOS[name].unable() for name in wanted}
    plays = [
        Play(
            Trial(
                name=name,
                cycles=cycles,
                random=random.Random(f"{seed}{name}{part or ''}"),  # noqa: S311  # moments, no secrets
                forked=forked,
            )
        )
        for name, all_cycles in wanted.items()
        if not reasons[name]
        for part, cycles in enumerate(_parts(all_cycles, jobs))
    ]
    return Plan(plays, {name: why for name, why in reasons.items() if why}, jobs)


def _parts(cycles: int, jobs: int) -> list[int]:
    """About equal, and none without a few cycles: a world costs more than one."""
    parts = max(1, min(jobs, cycles // 4))
    return [cycles // parts + (number < cycles % parts) for number in range(parts)]
