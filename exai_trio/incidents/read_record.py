"""From a record of the log to the faults that it tells: each leaf of a group singly, and what is none left out."""

import errno
import linecache
import logging
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Final, cast

from exai_trio.errors import ExaiError, InternalError
from exai_trio.incidents.fault import Fault, Frame, Kind, Severity
from exai_trio.incidents.said import as_code_says

_PACKAGE: Final = "exai_trio"
_MOST_FRAMES: Final = 40
_MOST_LEAVES: Final = 50
_MOST_CAUSES: Final = 5
_AROUND: Final = 6  # lines of a statement that raises
_WORLD: Final = frozenset({"storage", "provider", "network", "server", "timeout"})
_FULL: Final = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.EROFS,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
}
_NAMED: Final = {
    "exai.trouble": "what",
    "exai.jobs": "job",
}  # the key that tells one plain record from another
_BUGS: Final = frozenset({"exai.jobs"})  # whose plain records tell of faults of ours


def faults_of(record: logging.LogRecord) -> tuple[Fault, ...]:
    """None for what clients did wrong, and for what was cancelled."""
    raised = record.exc_info[1] if record.exc_info else None
    if raised is None:
        return (_plain(record),)
    leaves = [leaf for leaf in _leaves(raised) if isinstance(leaf, Exception)][:_MOST_LEAVES]
    bugs = [leaf for leaf in leaves if _kind(leaf) == "bug"]
    told = bugs or [leaf for leaf in leaves if _kind(leaf) == "world"]
    return tuple(_fault(record, leaf) for leaf in told)


def trace_of(fault: Fault) -> str:
    """As people read it: the steps, with the lines of our code; without any value."""
    lines = [
        f"  {frame.module}:{frame.line} in {frame.function}"
        + (f"\n    {frame.source}" if frame.source else "")
        for frame in fault.frames
    ]
    return "\n".join([*lines, f"{fault.type}: {fault.message}".rstrip(": ")])


def _leaves(raised: BaseException) -> Iterator[BaseException]:
    if isinstance(raised, BaseExceptionGroup):
        for inner in cast("BaseExceptionGroup[BaseException]", raised).exceptions:
            yield from _leaves(inner)
    else:
        yield raised


def _kind(raised: BaseException) -> Kind | None:
    if isinstance(raised, ExaiError) and not isinstance(raised, InternalError):
        return "world" if raised.category in _WORLD else None
    return "world" if isinstance(raised, OSError) and raised.errno in _FULL else "bug"


def _plain(record: logging.LogRecord) -> Fault:
    name = str(vars(record).get(_NAMED.get(record.name, ""), ""))
    phrase = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
    return Fault(
        kind="bug" if record.name in _BUGS else "world",
        severity=_severity(record),
        logger=record.name,
        phrase=f"{phrase}: {name}" if name else phrase,
        message=f"{phrase}: {name}" if name else phrase,
    )


def _fault(record: logging.LogRecord, raised: Exception) -> Fault:
    frames = tuple(_frames(raised.__traceback__))
    return Fault(
        kind=_kind(raised) or "world",
        severity=_severity(record),
        logger=record.name,
        phrase=record.msg if isinstance(record.msg, str) else "",
        type=_name(raised),
        message=as_code_says(_said(raised), _sources(raised.__traceback__)),
        causes=tuple(_causes(raised)),
        frames=frames,
    )


def _said(raised: Exception) -> str:
    """Nothing that it does on being asked may break the log."""
    if isinstance(raised, OSError) and raised.strerror:
        return f"[Errno {raised.errno}] {raised.strerror}"
    shown = "".join(traceback.format_exception_only(raised)).strip()
    return shown.removeprefix(_name(raised)).removeprefix(": ")


def _severity(record: logging.LogRecord) -> Severity:
    return "critical" if record.levelno >= logging.CRITICAL else "high"


def _name(raised: BaseException) -> str:
    kind = type(raised)
    ours = kind.__module__ == "builtins"
    return kind.__qualname__ if ours else f"{kind.__module__}.{kind.__qualname__}"


def _causes(raised: BaseException) -> Iterator[str]:
    """Types of what it was raised from, or while; of a group the first leaf."""
    seen = {id(raised)}
    cause = raised.__cause__ or (None if raised.__suppress_context__ else raised.__context__)
    for _ in range(_MOST_CAUSES):
        if cause is None or id(cause) in seen:
            return
        seen.add(id(cause))
        if not isinstance(cause, BaseExceptionGroup):
            yield _name(cause)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def _frames(trace: TracebackType | None) -> Iterator[Frame]:
    steps = list(traceback.walk_tb(trace))
    for frame, line in steps[-_MOST_FRAMES:]:
        module = str(frame.f_globals.get("__name__", "?"))
        ours = module == _PACKAGE or module.startswith(f"{_PACKAGE}.")
        source = linecache.getline(frame.f_code.co_filename, line).strip() if ours else ""
        yield Frame(
            module=module, function=frame.f_code.co_qualname, line=line, source=source, ours=ours
        )


def _sources(trace: TracebackType | None) -> list[str]:
    """The statement that raised it, whoever's code that is."""
    steps = list(traceback.walk_tb(trace))
    if not steps:
        return []
    frame, line = steps[-1]
    lines = range(max(1, line - _AROUND // 2), line + _AROUND)
    return [linecache.getline(frame.f_code.co_filename, number) for number in lines]
