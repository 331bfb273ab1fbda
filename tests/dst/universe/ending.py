"""What must be given back at the end of a universe: permits, sessions, tasks, and the entries of every table."""

import trio

from .disk import Disk
from .house import Life
from .oracle import Oracle
from .window import Window


def tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


async def check_given_back(life: Life, window: Window, disk: Disk, oracle: Oracle) -> None:
    """Nothing runs, waits or stands in a table that nobody waits for."""
    counters, permits = life.parts.context.counters, life.parts.environment.permits
    if counters.running or permits.borrowed_tokens:
        oracle.fail(f"{counters.running} calls run at the end, {permits.borrowed_tokens} permits")
    if counters.connections > 1 or counters.sessions > 1:
        oracle.fail(f"{counters.sessions} sessions at the end, {counters.connections} connections")
    unfinished = await disk.unfinished()
    if unfinished:
        oracle.fail(f"the journal has open calls of {unfinished}")
    for what, is_held in _held(life, window).items():
        if is_held:
            oracle.fail(f"left at the end: {what}")


def _held(life: Life, window: Window) -> dict[str, object]:
    """Whatever is in a table, by its name."""
    held = {"requests of the shim": len(window.relay.bridge.calls)}
    for name, session in life.sessions.table.items():
        box, rules = session.outbox, session.rules
        held[f"calls of {name}"] = session.calls.table
        held[f"frames of {name} for the disk"] = session.sender.is_holding
        held[f"frames of {name} for the client"] = box and box.held_bytes
        held[f"frames of {name} without acknowledgement"] = rules.last_seq - rules.acked
    return held
