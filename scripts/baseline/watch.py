"""`watch`: a baseline of the calls that people made, as their daemon has kept them."""

import time

from .records import Baseline, Run, revision, this_machine
from .store import calls_of, database


def watched(home, hours):
    """Raises Wrong."""
    now = time.time()
    rows = calls_of(database(home), now - hours * 3600)
    return Baseline(
        source="watched",
        at=now,
        revision=revision(),
        machine=this_machine(),
        runs=tuple(map(_run, rows)),
    )


def _run(row):
    """Whether an answer was right, nobody can say of a call that was not ours."""
    waits = row["permit_wait_ms"] + row["provider_wait_ms"]
    return Run(
        tool=row["tool"],
        ok=row["code"] == "",
        reason=row["code"],
        code=row["code"],
        total_ms=row["duration_ms"],
        global_wait_ms=row["permit_wait_ms"],
        provider_wait_ms=row["provider_wait_ms"],
        processing_ms=round(row["duration_ms"] - waits, 3),
        first_chunk_ms=row["first_chunk_ms"],
        own_ms=round(row["duration_ms"] - row["with_provider_ms"], 3),
        model=row["model"],
        input_tokens=row["input_tokens"],
        cached_tokens=row["cached_tokens"],
        output_tokens=row["output_tokens"],
        cost=row["cost"],
        currency=row["currency"],
        requests=row["requests"],
    )
