"""`versus A B`: two providers or models, the same prompts by turns in random order, through the daemon. Names no winner by chance."""

import json
import math
import random
import secrets
import tempfile
from pathlib import Path

import attrs
import httpx2
import trio

from . import records
from .client import Lost, connected
from .contest import Answer, Figures, told
from .definitions import Definition
from .judge import Seen, judged
from .prices import check_budget
from .served import ProviderLog, known_calls, log_of, own_daemon
from .wrong import Wrong

SCHEMA = "exai-versus/1"
USUAL = {"glm": "glm-4.6", "kimi": "kimi-k2.6"}
_WARM_UP = 2
_LIMIT_S = 120
_PREFIX = "What was said before, at some length, so that a provider may keep it. " * 80
_ROOM = (
    "EXAI_WS_SESSION_MAX_INFLIGHT", "EXAI_WS_GLOBAL_MAX_INFLIGHT", "EXAI_WS_GLM_MAX_INFLIGHT", "EXAI_WS_KIMI_MAX_INFLIGHT",
)  # fmt: skip
_PLANTED = {"delay": 60.0, "spread": 10.0, "faults": 1.0}  # the most of each


@attrs.frozen(kw_only=True)
class Side:
    """One of the two: its model, its provider, and what the simulator is to do wrong for it."""

    name: str
    model: str
    provider: str
    planted: dict = attrs.field(factory=dict)

    def words(self, dice):
        """What is wrong with its next answer; the delay is lognormal about `delay`."""
        words = {}
        if self.planted.get("delay"):
            words["delay"] = min(
                60.0,
                self.planted["delay"] * math.exp(dice.gauss(0, self.planted.get("spread", 0.0))),
            )
        if dice.random() < self.planted.get("faults", 0.0):
            words["status"] = 400
        return words


@attrs.define(eq=False)
class Contest:
    """What all who ask share."""

    sides: tuple
    served: object
    log: ProviderLog
    dice: random.Random
    asked: object
    seen: list = attrs.field(factory=list)
    calls: list = attrs.field(factory=list)

    async def pair(self, client, number, *, counts=True):
        """The same prompt to both, one after the other, whoever comes first. Raises Lost."""
        prompt = self._prompt(number)
        order = list(self.sides)
        self.dice.shuffle(order)
        pair = {}
        for side in order:
            pair[side.name] = await self._ask(client, side, prompt)
        if counts:
            self.seen.append(pair)

    def _prompt(self, number):
        known = self.dice.random() < self.asked.cached
        marker = f"m{secrets.token_hex(5)}"
        simulated = "" if self.asked.live else f" [[simulate: tokens={self.asked.tokens}]]"
        return f"{_PREFIX if known else marker} Answer {number}: with the word {marker}.{simulated}"

    async def _ask(self, client, side, prompt):
        words = self.asked.live or side.words(self.dice)
        if words and not self.asked.live:
            await self.log.arm(side.provider, words, path="/chat/completions")
        definition = _definition(side, prompt)
        reply = await client.call("chat", dict(definition.arguments), _LIMIT_S, stream=True)
        await client.acknowledge()
        self.calls.append((client.session_id, reply.request_id, reply.call_id))
        return Seen(definition=definition, holes={}, reply=reply, is_live=self.asked.live)

    async def answers(self):
        """Pairs of answers, with what the daemon has written down of them."""
        rows = await known_calls(self.served, self.calls) or {}
        return [
            tuple(self._answer(pair[side.name], rows) for side in self.sides) for pair in self.seen
        ]

    def _answer(self, seen, rows):
        row = rows.get(seen.reply.call_id)
        run = judged(attrs.evolve(seen, row=row, is_written=row is not None))
        error = (seen.reply.frame or {}).get("error") or {}
        return Answer.of(run, error.get("category", "" if run.ok else "wrong answer"))


def _definition(side, prompt):
    """Whether the provider was asked is seen by the daemon's own count: eight at once cannot be told apart in its log."""
    arguments = {"prompt": prompt, "model": side.model}
    return Definition(
        name="chat", kind=2, limit=_LIMIT_S, arguments=arguments,
        right={"lacks": ['"status":"running"'], "contains": ['"content":']}, requests={"/chat/completions": 1},
    )  # fmt: skip


def contest(asked):
    """The exit code. Raises Wrong."""
    sides = _sides(asked)
    at_once = _numbers(asked.at_once)
    if asked.live:
        runs = asked.prompts * len(at_once)
        check_budget([_definition(side, "") for side in sides], runs, asked)
    room = dict.fromkeys(_ROOM, 64)
    try:
        with own_daemon(live=asked.live, **room, CIRCUIT_BREAKER_ENABLED="false") as served:
            figures = [trio.run(_measured, sides, served, asked, width) for width in at_once]
    except Lost as fault:
        raise Wrong(f"{asked.a} {asked.b}: the daemon was lost: {fault}") from fault
    print("\n".join(line for each in figures for line in told(each, simulated=not asked.live)))
    if asked.json is not None:
        _write(asked, figures)
    return 0 if all(each.pairs for each in figures) else 1


def _sides(asked):
    from exai_trio.providers.catalogue import load_catalogue

    providers = {model.name: model.provider for model in load_catalogue().models}
    planted = _planted(asked)
    found = []
    for name in (asked.a, asked.b):
        model = USUAL.get(name, name)
        if model not in providers:
            raise Wrong(
                f"versus: {name!r} is no provider and no model; allowed: {', '.join([*USUAL, *sorted(providers)])}"
            )
        found.append(
            Side(name=name, model=model, provider=providers[model], planted=planted.pop(name, {}))
        )
    if planted:
        raise Wrong(f"--plant: {next(iter(planted))!r} is no side; allowed: {asked.a}, {asked.b}")
    if asked.a == asked.b:
        raise Wrong(f"versus: {asked.a} against itself; allowed: two names")
    return tuple(found)


def _planted(asked):
    if asked.plant and asked.live:
        raise Wrong("--plant: not with --live; allowed: the simulator")
    found = {}
    for words in asked.plant:
        name, *pairs = words.split() or [""]
        found[name] = dict(map(_pair, pairs))
    return found


def _pair(text):
    key, _, value = text.partition("=")
    try:
        if key in _PLANTED and 0 <= float(value) <= _PLANTED[key]:
            return key, float(value)
    except ValueError:
        pass
    raise Wrong(
        f"--plant: {text!r} is not understood; allowed: {', '.join(f'{key}=0 … {most:g}' for key, most in _PLANTED.items())}"
    )


def _numbers(text):
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or min(found) < 1:
        raise Wrong(
            f"--at-once: {text!r} is not understood; allowed: numbers from 1 with commas, as 1,8"
        )
    return found


async def _measured(sides, served, asked, width):
    """So many at once, each on a connection of its own."""
    dice = random.Random(asked.seed)  # noqa: S311 - an order, no secret
    async with httpx2.AsyncClient(trust_env=False) as http:
        with tempfile.TemporaryDirectory() as folder:
            async with connected(served.url, roots=[folder]) as first:
                contest = Contest(sides, served, log_of(first.health, http), dice, asked)
                for number in range(_WARM_UP):
                    await contest.pair(first, number, counts=False)
                numbers = iter(range(asked.prompts))
                async with trio.open_nursery() as asking:
                    for _ in range(width):
                        asking.start_soon(_ask_on, contest, folder, numbers)
                return Figures.of(sides, await contest.answers(), width)


async def _ask_on(contest, folder, numbers):
    async with connected(contest.served.url, roots=[folder]) as client:
        for number in numbers:
            await contest.pair(client, number)


def _write(asked, figures):
    facts = {
        "schema": SCHEMA,
        "simulated": not asked.live,
        "revision": records.revision(),
        "machine": attrs.asdict(records.this_machine()),
        "figures": [each.facts() for each in figures],
    }
    Path(asked.json).write_text(
        json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
