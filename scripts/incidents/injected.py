"""The faults of the corpus, raised for real: exceptions with traces through functions of the named modules, in as many variants as wanted."""

import importlib
import logging
import random
import threading
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import attrs

CORPUS = Path(__file__).parents[2] / "tests" / "incidents" / "corpus" / "faults.toml"
_WORDS = ("alpha", "budget", "delta", "lemma", "matrix", "vector")


@attrs.frozen(kw_only=True)
class Injected:
    """One fault of the corpus. `kind` is "none" for what is no incident."""

    name: str
    border: str
    logger: str
    phrase: str
    chain: list[str]
    type: str
    message: str
    shape: str
    kind: str = "bug"
    causes: list[str] = attrs.field(factory=list[str])
    keys: dict[str, str] = attrs.field(factory=dict[str, str])
    again: bool = False


def corpus() -> list[Injected]:
    return [Injected(**each) for each in tomllib.loads(CORPUS.read_text("utf-8"))["fault"]]


def tell(fault: Injected, variant: int) -> None:
    """Let it happen, and be logged where such a fault is logged."""
    chance = random.Random(f"{fault.name} {variant}")  # noqa: S311 - the same each time
    keys = {key: _filled(text, chance) for key, text in fault.keys.items()}
    log = logging.getLogger(fault.logger)
    if fault.shape == "record":
        log.error(fault.phrase, extra=keys)
        return

    def at_the_border() -> None:
        try:
            _happen(fault, chance)
        except BaseException as raised:  # noqa: ASYNC103 - no trio here
            log.error(fault.phrase, exc_info=raised)

    if fault.border == "thread":
        thread = threading.Thread(target=at_the_border)
        thread.start()
        thread.join()
    else:
        at_the_border()


def _happen(fault: Injected, chance: random.Random) -> None:
    chain = list(fault.chain)
    if fault.again:
        chain += [chain[-1]] * chance.randrange(20)
    run: Callable[[], Any] = _Raises(fault, chance)
    for place in reversed(chain):
        run = _function(place, run, chance)
    match fault.shape:
        case "group" | "nested" | "beside":
            raise _group(fault, chance, run)
        case _:
            run()


def _group(
    fault: Injected, chance: random.Random, run: Callable[[], Any]
) -> BaseExceptionGroup[BaseException]:
    """As nurseries raise them; beside a known fault, in either order, or deeper."""
    try:
        run()
    except BaseException as raised:  # noqa: ASYNC103, BLE001 - put into a group; no trio here
        leaves: list[BaseException] = [raised]
    if fault.shape == "beside":
        known = _made("exai_trio.errors:ArgumentError", "no such field")
        leaves.insert(chance.randrange(2), known)
    group = BaseExceptionGroup("Exceptions from Trio nursery (1 sub-exception)", leaves)
    for _ in range(chance.randrange(1, 4) if fault.shape == "nested" else 0):
        group = BaseExceptionGroup("Exceptions from Trio nursery (1 sub-exception)", [group])
    return group


@attrs.frozen
class _Raises:
    fault: Injected
    chance: random.Random

    def __call__(self) -> None:
        raised = _made(self.fault.type, _filled(self.fault.message, self.chance))
        cause = None
        for each in reversed(self.fault.causes):
            cause = _made(self.chance.choice(each.split("|")), _filled("{id}", self.chance))
        raise raised from cause


def _step(run):
    return run()


def _function(place: str, run: Callable[[], Any], chance: random.Random) -> Callable[[], Any]:
    """A function of that name, in a file and at a line of its own, that calls `run`."""
    foreign = place.startswith("!")
    module, name = place.removeprefix("!").split(":")
    code = _step.__code__.replace(
        co_name=name.rpartition(".")[2],
        co_qualname=name,
        co_filename=f"/{_hex(chance)}/site-packages/{module.replace('.', '/')}.py",
        co_firstlineno=chance.randrange(1, 900),
    )
    made = FunctionType(code, {"__name__": module if foreign else f"exai_trio.{module}"})
    return lambda: made(run)


def _made(kind: str, message: str) -> BaseException:
    module, _, name = kind.rpartition(":")
    of = getattr(importlib.import_module(module or "builtins"), name)
    match name:
        case "UnicodeDecodeError":
            return of("utf-8", b"\xff", 0, 1, "invalid start byte")
        case "JSONDecodeError":
            return of("Expecting value", "", 0)
        case "OSError" if message.startswith("[Errno "):
            return of(int(message[7:].partition("]")[0]), message.partition("] ")[2])
        case _:
            return of(message)


def _filled(text: str, chance: random.Random) -> str:
    return text.format(
        id=_hex(chance),
        path=f"/home/{_hex(chance)}/{chance.choice(_WORDS)}.py",
        n=chance.randrange(10_000),
        word=chance.choice(_WORDS),
    )


def _hex(chance: random.Random) -> str:
    return f"{chance.getrandbits(48):012x}"
