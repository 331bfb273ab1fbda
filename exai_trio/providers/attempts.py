"""Requests to one provider: each attempt under a permit, all of them under guard, and told truthfully to a listener."""

import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol, TypeVar, cast

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import ProviderError, ProviderTimeoutError
from exai_trio.observability.events import Event, Publish, RequestEnded
from exai_trio.observability.redaction import KnownSecrets
from exai_trio.resilience.guard import Attempt, Guard

from .adaptive_limit import AdaptiveLimit
from .answers.accumulator import Assembly
from .base import ChatRequest, Delta, Provider, ReasoningDelta, TextDelta
from .catalogue import ModelInfo
from .endpoint import Endpoint
from .requesting.request_outcomes import CANCELLED, CUT, OK
from .requesting.request_record import RequestRecord
from .timeouts import late

T = TypeVar("T")
TELL_EVERY_S: Final = 0.5
LETTERS_A_TOKEN: Final = 4
_FLOWING: Final = (TextDelta, ReasoningDelta)


class Listener(Protocol):
    """Who wants to know how a request fares. Nothing here may block."""

    def stage(self, stage: str, message: str) -> None:
        """Stages: "waiting for provider" (for a permit, or before another attempt), "thinking", "streaming"."""
        ...

    def chunk(self, text: str) -> None: ...

    def waited_for_provider(self, provider: str, seconds: float) -> None: ...

    def requested(self, request: RequestEnded) -> None:
        """A request has ended just now, however that was."""
        ...

    def flows(self, until: float) -> float:
        """The model's text begins to come, and may come until then; times are trio's. Returns when to cut it, which may be earlier.

        Whoever had a deadline for the answer has none before that and a little more, in which to keep what came.
        """
        ...


@structs.define(kw_only=True)
class LimitedProvider:
    """One configured provider with its permits. `keys` are those that no text of its may give away."""

    endpoint: Endpoint
    provider: Provider
    adaptive_limit: AdaptiveLimit
    keys: KnownSecrets = attrs.field(factory=KnownSecrets)

    @asynccontextmanager
    async def permit(
        self, listener: Listener, model: ModelInfo | None = None
    ) -> AsyncGenerator[RequestRecord]:
        """Leave to make one request, which teaches the adaptive_limit by how it ends; what is noted of it is told to the listener.
        Cancelling gives it back, and teaches nothing."""
        name = self.endpoint.name

        def waiting() -> None:
            allowed = self.adaptive_limit.allowed
            listener.stage("waiting for provider", f"{name} already has {allowed} requests at once")

        async with self.adaptive_limit.permit(waiting) as waited_s:
            listener.waited_for_provider(name, waited_s)
            asked_at = trio.current_time()
            currency = self.endpoint.dialect.currency
            record = RequestRecord(name, model, currency, waited_s, asked_at)
            try:
                yield record
                record.outcome = CUT if record.is_cut else OK
            except trio.Cancelled:
                record.outcome = CANCELLED
                raise
            except ProviderError as error:
                record.failed(error)
                self.adaptive_limit.learn(error, asked_at)
                error.message = self.keys.masked(error.message)
                error.details = cast("dict[str, Any]", self.keys.masked_within(error.details))
                raise
            finally:
                listener.requested(record.ended(trio.current_time()))
            self.adaptive_limit.learn(None, asked_at)

    async def once(self, request: Callable[[Provider], Awaitable[T]], listener: Listener) -> T:
        """Any request but chat, one attempt of it. Cancelling closes the request's socket and gives the permit back."""
        async with self.permit(listener):
            return await request(self.provider)


@structs.define(kw_only=True)
class Round:
    """One question and its answer, however many attempts that takes."""

    limited: LimitedProvider
    request: ChatRequest
    model: ModelInfo
    listener: Listener
    answer: Assembly = attrs.field(factory=Assembly, init=False)
    _told_at: float = attrs.field(default=-math.inf, init=False)
    _told: str = attrs.field(default="", init=False)

    async def under(self, guard: Guard) -> Assembly:
        """The answer, or what came of it before a limit of the provider passed. Raises: ProviderError.
        Cancelling closes the attempt's socket; what came of the answer is lost."""
        try:
            return await guard.run(self.attempt)
        except ProviderTimeoutError as fault:
            return self._cut(fault)

    async def attempt(self, attempt: Attempt) -> Assembly:
        """The answer, or what came of it in time. Cancelling closes the socket and frees the permit."""
        if _was_duplicate(attempt.last_error):
            self.request = attrs.evolve(self.request, renumbered=self.request.renumbered + 1)
        self.answer = Assembly()
        endpoint = self.limited.endpoint
        if endpoint.local:  # other calls have the machine, or a model is loaded
            self.listener.flows(trio.current_time() + endpoint.limits.stream_s)
        async with self.limited.permit(self.listener, self.model) as record:
            until = trio.current_time() + endpoint.limits.stream_s
            self._tell("thinking", f"{self.request.model} has the question")
            try:
                with trio.CancelScope() as flow:
                    if endpoint.local:  # it reads for longer than others take altogether
                        flow.deadline = self.listener.flows(until)
                    await self._listen(flow, until, attempt, record)
            finally:
                record.usage = self.answer.usage if self.answer.is_counted else None
            record.is_cut = flow.cancelled_caught
        if flow.cancelled_caught:
            self._cut(self._overdue(until, flow.deadline))
        return self.answer

    async def _listen(
        self, flow: trio.CancelScope, until: float, attempt: Attempt, record: RequestRecord
    ) -> None:
        async with self.limited.provider.chat(self.request) as deltas:
            record.connected_at = trio.current_time()
            async for delta in deltas:
                if isinstance(delta, _FLOWING):
                    record.came(trio.current_time(), is_text=isinstance(delta, TextDelta))
                    if flow.deadline == math.inf:
                        flow.deadline = self.listener.flows(until)
                self._take(delta, attempt)

    def _cut(self, fault: ProviderTimeoutError) -> Assembly:
        """What came of the answer until then. Raises the fault if nothing came that one could read."""
        if not self.answer.text_size:
            raise fault
        self.answer.cut = fault.message
        return self.answer

    def _overdue(self, until: float, cut_at: float) -> ProviderTimeoutError:
        """That the time was over while the model thought or spoke: its stream's, or what the listener allows."""
        if cut_at >= until:
            fault = late(self.limited.endpoint, "stream")
        else:
            title = self.limited.endpoint.dialect.title
            fault = ProviderTimeoutError(
                f"{title}: the answer was not complete within the time that the client gave",
                details={"limit": "call"},
            )
        fault.details["max_attempts"] = 1
        return fault

    def _take(self, delta: Delta, attempt: Attempt) -> None:
        answer = self.answer
        answer.add(delta)
        if isinstance(delta, TextDelta):
            attempt.spoke = True
            self.listener.chunk(self.limited.keys.masked(delta.text))
            self._tell_size("streaming", answer.text_size)
        elif isinstance(delta, ReasoningDelta):
            self._tell_size("thinking", answer.reasoning_size)

    def _tell_size(self, stage: str, letters: int) -> None:
        """At once when the stage is new, then now and then: pieces come by the hundred."""
        if stage != self._told or trio.current_time() >= self._told_at + TELL_EVERY_S:
            self._tell(stage, f"about {letters // LETTERS_A_TOKEN + 1} tokens")

    def _tell(self, stage: str, message: str) -> None:
        self._told, self._told_at = stage, trio.current_time()
        self.listener.stage(stage, message)


def _was_duplicate(error: ProviderError | None) -> bool:
    return error is not None and error.details.get("reason") == "duplicate_request_id"


def to_nobody(event: Event) -> None:
    del event


@structs.frozen(eq=False)
class Deaf:
    """The listener of requests that nobody waits for; only that they have ended is published."""

    publish: Publish = to_nobody

    def stage(self, stage: str, message: str) -> None:
        del stage, message

    def chunk(self, text: str) -> None:
        del text

    def waited_for_provider(self, provider: str, seconds: float) -> None:
        del provider, seconds

    def requested(self, request: RequestEnded) -> None:
        self.publish(request)

    def flows(self, until: float) -> float:
        return until
