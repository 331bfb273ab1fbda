"""Figures of runs, for people: medians by tool, and how much of a call is ours. Nothing is measured here."""

from statistics import median

REFERENCE = "test_echo"
_HEAD = (
    "tool",
    "class",
    "runs",
    "total",
    "own",
    "× echo",
    "budget",
    "first",
    "requests",
    "tokens",
    "cost",
    "",
)


def table(baseline, chosen):
    """A line for each tool, then one for each that was not measured."""
    its, kinds = baseline.by_tool(), {one.name: one for one in chosen}
    echo = own_median(its.get(REFERENCE, ()))
    rows = [_HEAD, *(_row(kinds.get(name), name, runs, echo) for name, runs in its.items())]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEAD))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines += [f"{skipped.tool}: not measured: {skipped.reason}" for skipped in baseline.skipped]
    return "\n".join([*lines, *failures(its)])


def failures(its):
    for name, runs in its.items():
        reasons = [run.reason for run in runs if not run.ok]
        for reason in dict.fromkeys(reasons):
            yield f"{name}: {reasons.count(reason)} of {len(runs)} runs failed: {reason}"


def own_median(runs):
    return _median(run.own_ms for run in runs if run.ok)


def _median(values):
    found = [value for value in values if value is not None]
    return median(found) if found else None


def _row(definition, name, runs, echo):
    good = [run for run in runs if run.ok]
    own = own_median(good)
    share = own / echo if own is not None and echo else None
    budget = definition.own if definition else None
    return (
        name,
        str(definition.kind) if definition else "-",
        f"{len(good)}/{len(runs)}",
        _ms(_median(run.total_ms for run in good)),
        _ms(own),
        f"{share:.2f}" if share is not None else "-",
        f"{budget:g}" if budget else "-",
        _ms(_median(run.first_chunk_ms for run in good)),
        _count(_median(run.requests for run in good)),
        _count(_sum(run.output_tokens for run in good)),
        _cost(good),
        _said(good, share, budget),
    )


def _said(good, share, budget):
    over = "over its budget" if share is not None and budget and share > budget else ""
    return ", ".join(
        filter(
            None, [over, "simulated" if any(run.simulated and run.requests for run in good) else ""]
        )
    )


def _ms(value):
    return "-" if value is None else f"{value:.2f} ms"


def _count(value):
    return "-" if value is None else f"{value:,.0f}"


def _sum(values):
    found = [value for value in values if value is not None]
    return sum(found) if found else None


def _cost(runs):
    costs = _sum(run.cost for run in runs)
    currency = next((run.currency for run in runs if run.currency), "")
    return "-" if costs is None else f"{costs:.6f} {currency}".rstrip()
