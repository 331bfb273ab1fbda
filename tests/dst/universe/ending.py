"""What must be given back at the end of a universe: permits, sessions, tasks, and the entries of every table."""

import trio

from .house import Life
from .oracle import Oracle
from .window import Window


def tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


def check_counts(life: Life, oracle: Oracle) -> None:
    """What a session counts, so that it need not look, is what it has."""
    for name, session in life.sessions.table.items():
        rules = session.rules
        known = rules._known.values()
        counted = rules.running, rules._unacked_bytes, rules._kept_bytes
        there = (
            sum(not one.finished for one in known),
            sum(map(len, rules._unacked.values())),
            sum(len(one.body or "") for one in known if one.finished),
        )
        if counted != there:
            oracle.fail(f"{name} counts {counted}, and has {there}")


async def check_given_back(life: Life, window: Window, oracle: Oracle) -> None:
    """Nothing runs, waits or stands in a table that nobody waits for."""
    counted, permits = life.parts.report.figures(), life.parts.environment.permits
    if counted.running or permits.borrowed_tokens:
        oracle.fail(f"{counted.running} calls run at the end, {permits.borrowed_tokens} permits")
    if counted.connections > 1 or counted.sessions > 1:
        oracle.fail(f"{counted.sessions} sessions at the end, {counted.connections} connections")
    journal = life.parts.context.journal
    unfinished = await journal.unfinished() if journal else ()
    if unfinished:
        oracle.fail(f"the journal has open calls of {unfinished}")
    check_counts(life, oracle)
    for what, is_held in _held(life, window).items():
        if is_held:
            oracle.fail(f"left at the end: {what}")


def _held(life: Life, window: Window) -> dict[str, object]:
    """Whatever is in a table, by its name."""
    relay = window.relay
    held: dict[str, object] = {
        "requests of the shim": len(relay.bridge.calls),
        "calls of the shim": list(relay.bridge.calls),
        "bytes of the shim": relay.bridge.calls.bytes_held,
        "calls of the shim at a daemon": relay.dispatch.runs_any or relay.dispatch.has_queued,
    }
    for name, session in life.sessions.table.items():
        box, rules = session.outbox, session.rules
        held[f"calls of {name}"] = session.calls.table
        held[f"calls that run by the rules of {name}"] = rules.running
        held[f"frames of {name} for the disk"] = session.sender.is_holding
        held[f"frames of {name} for the client"] = box and box.held_bytes
        held[f"frames of {name} without acknowledgement"] = rules.unacked_frames
    return held
