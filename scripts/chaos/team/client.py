"""A client that comes back at once whenever its connection is lost, and asks again for what was not accepted, or refused while the database was away."""

import json
from collections import Counter

import attrs
import trio

from ..caller import LOST, Caller, Frame, Refused
from ..trial import Trial, prompt

_AGAIN_S = 0.02
_AWAY_S = 0.5


@attrs.define(eq=False)
class ReturningClient:
    """`asked` are prompts by mark, `own_s` how long each call takes by itself; `greeted` and `heard` are when its hellos and its calls
    were answered. One that `moves` leaves its connection at every frame."""

    port: int
    caller: Caller
    moves: bool = False
    asked: dict[str, str] = attrs.field(factory=dict[str, str])
    own_s: dict[str, float] = attrs.field(factory=dict[str, float])
    greeted: list[float] = attrs.field(factory=list[float])
    heard: dict[str, float] = attrs.field(factory=dict[str, float])
    _again: Counter[str] = attrs.field(factory=Counter[str])
    _connection: trio.CancelScope = attrs.field(factory=trio.CancelScope)

    async def come(self) -> None:
        """Until cancelled."""
        while True:
            try:
                with trio.CancelScope() as self._connection:
                    await self._connect()
            except* (*LOST, Refused, trio.TooSlowError):
                pass
            await trio.sleep(_AGAIN_S)

    async def _connect(self) -> None:
        async with self.caller.connected(self.port):
            self.greeted.append(trio.current_time())
            for mark in self.asked:
                if mark not in self.caller.accepted and mark not in self.caller.outcomes:
                    self._again[mark] += 1
                    await self._say(mark)
            await (self.caller.wait_frame() if self.moves else self.caller.wait_lost())

    @property
    def is_accepted(self) -> bool:
        """Everything that was asked."""
        return all(
            mark in self.caller.accepted or mark in self.caller.outcomes for mark in self.asked
        )

    async def wait_accepted(self) -> None:
        while not self.is_accepted:
            await self.caller.wait_frame()

    def leave(self) -> None:
        """The connection; it comes again."""
        self._connection.cancel(reason="the client leaves")

    async def ask(self, mark: str, own_s: float) -> None:
        """A call that takes so long by itself."""
        self.asked[mark] = prompt(mark, f"delay={own_s:.3f}")
        self.own_s[mark] = own_s
        await self._say(mark)

    async def _say(self, mark: str) -> None:
        arguments = {"prompt": self.asked[mark], "use_websearch": False}
        await self.caller.call(mark, "chat", **arguments)

    async def hear(self, trial: Trial, within: float) -> None:
        """Every call must be answered, well."""
        async with trio.open_nursery() as hearing:
            for mark in self.asked:
                hearing.start_soon(self._hear, trial, mark, within)

    async def _hear(self, trial: Trial, mark: str, within: float) -> None:
        found = await self.caller.outcome(mark, within=within)
        while found is not None and _is_refused(found):
            del self.caller.outcomes[mark]
            self._again[mark] += 1
            await trio.sleep(_AWAY_S)
            await self._say(mark)
            found = await self.caller.outcome(mark, within=within)
        self.heard[mark] = trio.current_time()
        trial.accepted += 1
        trial.answered += found is not None
        told = json.dumps(found)
        trial.hold(found and found["ok"] and mark in told, f"{mark}: {told[:300]}")

    def settle(self, trial: Trial) -> None:
        """What was answered came once, or as often as it was asked for, with the same words; then it is forgotten."""
        for mark, heard in self.caller.outcomes.items():
            outcomes = [one for one in heard if not _is_refused(one)]
            trial.hold(len(outcomes) <= 1 + self._again[mark], f"{mark} was answered {len(outcomes)} times")  # fmt: skip
            trial.hold(len({_words(one) for one in outcomes}) == 1, f"{mark} has two answers")
        self.caller.forget()
        for settled in (self.asked, self.own_s, self.heard, self._again):
            settled.clear()


def _is_refused(outcome: Frame) -> bool:
    """It was not accepted, since the database was away: it may be asked again."""
    return (outcome.get("error") or {}).get("details", {}).get("reason") == "not_journalled"


def _words(outcome: Frame) -> str:
    return json.dumps([outcome["ok"], outcome.get("outputs"), outcome.get("error")])
