"""Calls that an earlier daemon accepted, as calls of this one."""

from collections.abc import Callable, Iterable

from exai_trio.errors import ExaiError

from ..calls.call import Call
from ..calls.call_journal import Unfinished
from ..calls.call_plan import impossible, plan
from ..calls.detached_calls import DetachedCall
from ..calls.execution import Work
from ..calls.recovery import OtherDaemon, work_for
from ..calls.states import State
from .session import Session


def taken_up(
    session: Session, left: Unfinished, state: State, elsewhere: OtherDaemon | None
) -> tuple[Call, Work]:
    """The call of an earlier daemon, and what has its outcome; that is a refusal if it could not be a call of this one."""
    request, kept = left
    try:
        planned = plan(request, session.context.config, session.environment.tools)
    except ExaiError as why:
        planned = impossible(request, why)
    call = session.call_of(request, planned, session.allowed(kept.roots))
    call.state = state
    return call, work_for(call, kept, session.calls.journal, elsewhere)


def take_up_detached(
    named: Session,
    unfinished: Iterable[Unfinished],
    predecessor: OtherDaemon | None,
    guarded: Callable[[Work], Work] = lambda work: work,
) -> None:
    """Work that goes on under a handle, which is all that the journal has under that name."""
    calls = named.all_calls
    for left in unfinished:
        call, work = taken_up(named, left, State.DETACHED, predecessor)
        call.handle = named.id
        DetachedCall(call, named.id, calls.detached, named.calls.journal).take_over()
        calls.begin(call, guarded(work))
