"""The figures of terminals among the daemon's meters: each is read when it is asked for."""

from collections.abc import Mapping
from functools import partial
from operator import attrgetter

from exai_trio.observability.meters.meter_set import Meters
from exai_trio.terminal.session_processes import Usage, usage_of

from .terminals import Terminals

Values = Mapping[tuple[str, ...], float]
_COUNTED = {
    "terminal_attaches_total": "attached",
    "terminal_reconnects_total": "resumed",
    "terminal_attach_seconds_total": "attach_s",
    "terminal_ended_seconds_total": "ended_s",
    "terminal_connections": "connections",
}


def attach_terminal_gauges(meters: Meters, terminals: Terminals) -> None:
    for name, field in _COUNTED.items():
        meters.read(name, partial(attrgetter(field), terminals.counters))
    meters.read("terminal_sessions", terminals.running_by_type)
    meters.read("terminal_creations_total", partial(_creations, terminals))
    meters.read("terminal_bytes_total", partial(_bytes, terminals))
    meters.read("terminal_errors_total", partial(_errors, terminals))
    meters.read("terminal_process_cpu_seconds", lambda: _usage(terminals).cpu_s)
    meters.read("terminal_process_resident_bytes", lambda: float(_usage(terminals).resident_bytes))


def _creations(terminals: Terminals) -> Values:
    counters = terminals.counters
    return {("ok",): counters.created, ("failed",): counters.failed}


def _bytes(terminals: Terminals) -> Values:
    return {("in",): terminals.counters.bytes_in, ("out",): terminals.counters.bytes_out}


def _errors(terminals: Terminals) -> Values:
    return {(code,): count for code, count in terminals.counters.errors.items()}


def _usage(terminals: Terminals) -> Usage:
    """Of all sessions together: their ids are no labels."""
    found = [usage_of(record.keeper) for record in terminals.table.values() if record.keeper]
    return Usage(
        cpu_s=sum(one.cpu_s for one in found),
        resident_bytes=sum(one.resident_bytes for one in found),
    )
