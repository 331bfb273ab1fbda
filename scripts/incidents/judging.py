"""Counts how the faults of the corpus are found and told apart."""

from collections import Counter, defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import attrs

from exai_trio.config import Config
from exai_trio.incidents import fingerprint
from exai_trio.incidents.capture import capturing
from exai_trio.incidents.fault import Frame

from .injected import Injected, tell


@attrs.define
class Verdict:
    """What was seen of `told` occurrences, of which `expected` are incidents. `rows` has the names behind each fingerprint."""

    told: int = 0
    expected: int = 0
    detected: int = 0
    invented: int = 0
    duplicates: int = 0
    wrong_kind: int = 0
    rows: dict[str, Counter[str]] = attrs.field(factory=lambda: defaultdict(Counter))

    @property
    def merged(self) -> int:
        """Occurrences in a row that is mostly another fault's."""
        return sum(names.total() - max(names.values()) for names in self.rows.values())

    @property
    def split(self) -> int:
        """Occurrences outside of the row that has most of their fault."""
        by_name: dict[str, list[int]] = defaultdict(list)
        for names in self.rows.values():
            for name, count in names.items():
                by_name[name].append(count)
        return sum(sum(counts) - max(counts) for counts in by_name.values())


def _place_with_line(frame: Frame) -> str:
    return f"{frame.module}:{frame.function}:{frame.line}"


def _place_without_function(frame: Frame) -> str:
    return frame.module


MUTANTS: dict[str, tuple[str, Callable[..., str]]] = {
    "lines": ("place", _place_with_line),
    "no functions": ("place", _place_without_function),
}


def judge(faults: list[Injected], variants: int, home: Path, mutant: str | None = None) -> Verdict:
    """Tell each fault so many times, and look what is caught of it; by a fingerprint that is wrong, if one is named."""
    if mutant is not None:
        name, wrong = MUTANTS[mutant]
        with patched(fingerprint, name, wrong):
            return judge(faults, variants, home)
    verdict = Verdict()
    with capturing(Config(home=home), "judge") as capture, capture.keeping():
        for variant in range(variants):
            for fault in faults if variant % 2 else reversed(faults):
                tell(fault, variant)
                _count(verdict, fault, capture.take())
    return verdict


@contextmanager
def patched(module, name: str, value) -> Generator[None]:
    right = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, right)


def _count(verdict: Verdict, fault: Injected, caught) -> None:
    verdict.told += 1
    if fault.kind == "none":
        verdict.invented += bool(caught)
        return
    verdict.expected += 1
    verdict.detected += bool(caught)
    verdict.duplicates += max(0, len(caught) - 1)
    verdict.wrong_kind += any(each.kind != fault.kind for each in caught)
    for each in caught:
        verdict.rows[each.error_hash][fault.name] += 1
