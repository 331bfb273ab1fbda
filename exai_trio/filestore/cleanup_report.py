"""What a run of cleaning up has done, or would do. Pure."""

from collections.abc import Iterable
from typing import Any, Final

import attrs

from exai_trio import structs
from exai_trio.storage.contracts.cleanup_records import Change

MOST_SHOWN: Final = 100  # changes of a stage that are named; the others are counted


@structs.define(kw_only=True)
class StageReport:
    """How many rows a stage changed, how many bytes that were, and the first of them."""

    changed: int = 0
    bytes: int = 0
    shown: list[Change] = attrs.field(factory=list[Change])


@structs.define(kw_only=True)
class CleanupReport:
    """By stage. `unknown` are files at providers that EXAI did not put there, and never deletes; `faults` what could not be done."""

    dry_run: bool = False
    stages: dict[str, StageReport] = attrs.field(factory=dict[str, StageReport])
    unknown: list[str] = attrs.field(factory=list[str])
    faults: list[str] = attrs.field(factory=list[str])

    def note(self, stage: str, changes: Iterable[Change]) -> None:
        kept = self.stages.setdefault(stage, StageReport())
        for change in changes:
            kept.changed += 1
            kept.bytes += change.bytes
            if len(kept.shown) < MOST_SHOWN:
                kept.shown.append(change)

    def add(self, other: "CleanupReport") -> None:
        """What another run has done besides."""
        for stage, done in other.stages.items():
            shown = len(done.shown)
            self.note(stage, done.shown)
            self.stages[stage].changed += done.changed - shown
            self.stages[stage].bytes += done.bytes - sum(each.bytes for each in done.shown)
        self.unknown += other.unknown
        self.faults += other.faults

    def note_fault(self, fault: str) -> None:
        self.faults.append(fault)

    def as_json(self) -> dict[str, Any]:
        return {
            "dry_run": self.dry_run,
            "stages": {
                name: {
                    "changed": stage.changed,
                    "bytes": stage.bytes,
                    "changes": [
                        {"subject": c.subject, "why": c.why, "bytes": c.bytes} for c in stage.shown
                    ],
                }
                for name, stage in self.stages.items()
            },
            "unknown_files": self.unknown,
            "faults": self.faults,
        }
