"""What makes a workflow tool: its data, and the few small functions in which it differs from the others.

No tool is here.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

import attrs

from exai_trio import structs
from exai_trio.providers.base import ThinkingLevel
from exai_trio.tools.base import Caller, Services, Visibility
from exai_trio.tools.prompts import Section
from exai_trio.tools.statuses import Status, pause_for
from exai_trio.tools.workflow.step_arguments import Stepwise
from exai_trio.tools.workflow.steps.investigation_state import Note, State


@structs.frozen(kw_only=True)
class StepCall:
    """One call of a workflow tool, as the tool's own functions see it; `state` is before the step is noted.

    `files` are the relevant files of all steps, this one's included, resolved and allowed.
    """

    arguments: Any
    caller: Caller
    services: Services
    state: State
    files: tuple[str, ...] = ()


@structs.frozen(kw_only=True)
class Findings:
    """What a tool found out by itself: `facts` are kept with the step, `sections` go to the model, `answer` to the agent."""

    facts: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    sections: tuple[Section, ...] = ()
    answer: Mapping[str, Any] = attrs.field(factory=dict[str, Any])


@structs.frozen(kw_only=True)
class Hold:
    """A reason not to go on to the next step, or not to end yet: guidance, no failure."""

    status: Status
    why: str
    actions: tuple[str, ...] = ()
    arguments: Mapping[str, Any] = attrs.field(factory=dict[str, Any])


Look = Callable[[StepCall], Awaitable[Findings]]
Facts = Callable[[State], Mapping[str, Any]]


async def look_nowhere(_turn: StepCall) -> Findings:
    """Find nothing out. Cancelling leaves nothing."""
    return Findings()


def no_facts(_state: State) -> Mapping[str, Any]:
    return {}


def no_hold(_note: Note) -> Hold | None:
    return None


@structs.frozen(kw_only=True)
class Workflow:
    """A workflow tool. `done` is its status at the end; `actions` is what the agent should do before its next step.

    `asks`: whom it asks at the last step. `needs_files`: step 1 must name relevant_files, and nobody is asked if none of them can
    be shown. `names_deleted`: they may be gone, as the files of a change may. `look` runs at every step, before it is noted; `hold`
    looks at the note. `progress` are facts for <tool>_status, `outcome` for complete_<tool>. `seldom` adds to what only the full
    list shows. Cancelling a call ends `look` with its processes and threads, and no step is noted.
    """

    name: str
    description: str
    arguments: type[Stepwise]
    done: Status
    actions: tuple[str, ...]
    asks: Literal["expert", "panel", "nobody"] = "expert"
    visibility: Visibility = "core"
    needs_files: bool = False
    names_deleted: bool = False
    thinking: ThinkingLevel | None = None
    temperature: float = 0.2
    look: Look = look_nowhere
    hold: Callable[[Note], Hold | None] = no_hold
    progress: Facts = no_facts
    outcome: Facts = no_facts
    further_statuses: tuple[Status, ...] = ()
    tolerated: frozenset[str] = frozenset()
    seldom: frozenset[str] = frozenset({"thinking_mode"})

    @property
    def pause(self) -> Status:
        return pause_for(self.name)

    @property
    def statuses(self) -> tuple[Status, ...]:
        """Every status that this tool can answer with."""
        local = (Status.LOCAL_WORK_COMPLETE,) if self.asks == "expert" else ()
        files = (Status.FILES_REQUIRED_TO_CONTINUE,) if self.needs_files else ()
        return (self.pause, self.done, *local, *files, *self.further_statuses)
