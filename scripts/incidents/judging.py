"""Counts how the faults of the corpus are found and told apart."""

from collections import Counter, defaultdict
from pathlib import Path

import attrs

from exai_trio.config import Config
from exai_trio.incidents.capture import capturing

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


def judge(faults: list[Injected], variants: int, home: Path) -> Verdict:
    """Tell each fault so many times, and look what is caught of it."""
    verdict = Verdict()
    with capturing(Config(home=home), "judge") as capture, capture.keeping():
        for variant in range(variants):
            for fault in faults if variant % 2 else reversed(faults):
                tell(fault, variant)
                _count(verdict, fault, capture.take())
    return verdict


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
