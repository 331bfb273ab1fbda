"""Continuation threads as the tools use them: open one, see what is in it, add an exchange.

What is stored where is the store's.
"""

import hashlib
import uuid
from typing import Any

import attrs

from exai_trio import structs
from exai_trio.errors import ArgumentError, NotFoundError
from exai_trio.storage.base import Conversation, Step, Turn
from exai_trio.tools import prompts
from exai_trio.tools.base import Caller, Services
from exai_trio.tools.envelope import Offer
from exai_trio.tools.workflow.steps.investigation_state import State, over, state_of

HOUR_S = 3600
_UNFINISHED = "unfinished"
_GOES_ON = "Noted. {tool} goes on."


@structs.frozen(kw_only=True)
class Thread:
    """A conversation as one call finds it; a new one is not in the store before its first exchange or step.

    `principal` has it, and `call` is the idempotency key of the call: what that adds is kept once, however often it runs.
    `turns` hold the investigations that go on, as far as they are, where they stand in time. `steps` are those of all workflow tools.
    `notice` says why newer turns may be missing.
    """

    id: str
    principal: str
    call: str
    turns: tuple[Turn, ...] = ()
    steps: tuple[Step, ...] = ()
    notice: str = ""

    @property
    def exchanges(self) -> int:
        return sum(turn.role == "user" and not turn.extra.get(_UNFINISHED) for turn in self.turns)

    @property
    def last_model(self) -> str:
        """`provider/model` of the newest answer, or "" in a new thread."""
        for turn in reversed(self.turns):
            if turn.role == "assistant" and turn.model:
                return f"{turn.provider}/{turn.model}" if turn.provider else turn.model
        return ""

    @property
    def own_answer(self) -> Turn | None:
        """The answer that an earlier run of this call has stored, of which its client may not have heard."""
        key = _key(self.call, "assistant", 0)
        return next((turn for turn in self.turns if turn.key == key), None)

    def named(self, kind: str) -> list[str]:
        """The paths that its turns name under `kind` ("files" or "images"), oldest first."""
        return [path for turn in self.turns for path in turn.extra.get(kind, ())]


async def open_thread(
    services: Services, caller: Caller, continuation_id: str, *, going_on: str = ""
) -> Thread:
    """The thread of that id or name, or a new one for "": in a later run the one that an earlier run has begun.
    The workflow tool `going_on` sees its own notes as steps only, not as turns.

    Raises: NotFoundError if there is none (any more); ArgumentError if it has had all its exchanges; StorageError.
    Cancelling stores nothing.
    """
    wanted = continuation_id or await _begun(services, caller)
    if not wanted:
        return Thread(id=str(uuid.uuid4()), principal=caller.principal, call=caller.idempotency_key)
    thread = await stored_thread(services, caller, wanted, going_on=going_on)
    if thread.own_answer is not None:
        return thread
    most = services.config.max_conversation_turns
    if thread.exchanges >= most and going_on not in _investigating(thread.steps):
        raise ArgumentError(
            f"This conversation has had its {most} exchanges (MAX_CONVERSATION_TURNS)."
            " Leave continuation_id out to begin a new one.",
            details={"field": "continuation_id", "allowed": f"at most {most} exchanges"},
        )
    return thread


async def _begun(services: Services, caller: Caller) -> str | None:
    """The thread that an earlier run of this call has begun."""
    if caller.attempt == 1:
        return None
    keys = (_key(caller.idempotency_key, "user", 0), _key(caller.idempotency_key, "step", 0))
    return await services.conversations.of(caller.principal).kept_under(keys, services.now())


async def stored_thread(
    services: Services, caller: Caller, wanted: str, *, going_on: str = ""
) -> Thread:
    """The caller's thread of that id or name, however long. Raises: NotFoundError, StorageError. Cancelling changes nothing."""
    found = await _load(services, caller.principal, wanted)
    steps = await services.conversations.of(caller.principal).steps(found.id, services.now())
    others = [tool for tool in _investigating(steps) if tool != going_on]
    unfinished = [turn for tool in others for turn in _as_turns(tool, steps)]
    turns = sorted([*found.turns, *unfinished], key=_moment) if unfinished else found.turns
    return Thread(
        id=found.id,
        principal=caller.principal,
        call=caller.idempotency_key,
        turns=tuple(turns),
        steps=steps,
        notice=found.notice,
    )


async def _load(services: Services, principal: str, wanted: str) -> Conversation:
    now = services.now()
    store = services.conversations.of(principal)
    found = await store.load(wanted, now)
    if found is None and (named := await services.threads.of(principal).named(wanted, now)):
        found = await store.load(named, now)
    if found is None:
        hours = services.config.conversation_timeout_hours
        raise NotFoundError(
            f"No conversation has this continuation_id; conversations end {hours:g} h after their last turn."
            " Leave continuation_id out to begin a new one, and say again what it should know.",
            details={"field": "continuation_id"},
        )
    return found


def _moment(turn: Turn) -> float:
    return turn.at


def _investigating(steps: tuple[Step, ...]) -> list[str]:
    """The tools whose newest step is not the end of their work, in the order in which they began."""
    newest = {step.tool: step for step in steps}
    return [tool for tool, step in newest.items() if "note" in step.data]


def _as_turns(tool: str, steps: tuple[Step, ...]) -> tuple[Turn, Turn]:
    """An investigation that goes on, as an exchange: what was noted, and that nobody has answered it yet."""
    own = [step for step in steps if step.tool == tool]
    state: State = state_of(step.data for step in own)
    facts = extra(files=state.relevant_files) | {_UNFINISHED: True}
    return (
        Turn(
            role="user",
            text=prompts.investigation(tool, state),
            tool=tool,
            at=own[-1].at,
            extra=facts,
        ),
        Turn(role="assistant", text=_GOES_ON.format(tool=tool), tool=tool, at=own[-1].at),
    )


async def keep_step(
    services: Services, thread: Thread, tool: str, data: dict[str, Any]
) -> tuple[Step, ...]:
    """Note the step of this call; all steps there are then. Cancelling leaves it kept or not kept.

    Raises: StorageError.
    """
    now = services.now()
    expires_at = now + services.config.conversation_timeout_hours * HOUR_S
    step = Step(tool=tool, at=now, data=data, key=_key(thread.call, "step", 0))
    store = services.conversations.of(thread.principal)
    return await store.add_step(thread.id, step, now, expires_at)


async def keep(
    services: Services, thread: Thread, exchange: tuple[Turn, Turn], *, ended: str = ""
) -> Offer | None:
    """Add a question and its answer, both or neither, and that the investigation of the tool `ended` is over; say how to go on, or
    None if it was the last.

    Cancelling leaves the exchange kept or not kept. Raises: StorageError.
    """
    now = services.now()
    expires_at = now + services.config.conversation_timeout_hours * HOUR_S
    keyed = tuple(attrs.evolve(turn, key=_key(thread.call, turn.role, 0)) for turn in exchange)
    key = _key(thread.call, "step", 1)
    end = Step(tool=ended, at=now, data=over(), key=key) if ended else None
    store = services.conversations.of(thread.principal)
    await store.append(thread.id, keyed, now, expires_at, end)
    return offer(services, thread, thread.exchanges + 1)


def offer(services: Services, thread: Thread, exchanges: int) -> Offer | None:
    """How to go on after so many exchanges; None if they were all."""
    left = services.config.max_conversation_turns - exchanges
    return Offer(continuation_id=thread.id, remaining_turns=left) if left > 0 else None


def _key(call: str, role: str, ordinal: int) -> str:
    """The name of what a call adds, in the whole store; "" of a call that has no key."""
    name = f"{call}\n{role}\n{ordinal}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(name).hexdigest()[:32] if call else ""


def extra(**facts: object) -> dict[str, Any]:
    """What a turn carries beside its text; empty facts are left out."""
    return {name: value for name, value in facts.items() if value}
