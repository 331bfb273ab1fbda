"""What the daemon itself asks of a model, for nobody's call: only while no call waits for the same provider."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from exai_trio import structs
from exai_trio.errors import ExaiError, OverCapacityError
from exai_trio.providers.answers.accumulator import ChatAnswer
from exai_trio.providers.attempts import Deaf
from exai_trio.providers.base import ChatRequest, Message
from exai_trio.providers.gateway import Gateway
from exai_trio.providers.routing import ModelChoice


@structs.frozen(kw_only=True)
class Asked:
    """`purpose` tells one question from another."""

    model: str
    system: str
    user: str
    most_tokens: int
    purpose: str


@structs.frozen(kw_only=True)
class Said:
    """What the model said, and what that took; `cost` is None where no price is known."""

    text: str
    model: str
    tokens: int
    cost: float | None


Ask = Callable[[Asked], Awaitable[Said]]
"""Raises ExaiError. Cancelling ends the request."""


_LOOK_S: Final = 0.1
_AGAIN_S: Final = 60.0


@structs.define(eq=False)
class OwnQuestions:
    """Gives way: a question ends as soon as a call waits for a permit of its provider."""

    gateway: Gateway

    async def ask(self, asked: Asked) -> Said:
        """Raises ExaiError; OverCapacityError where calls need the provider. Cancelling ends the request."""
        choice = self.gateway.choose(asked.model)
        if self._is_needed(choice.provider):
            raise _needed(choice.provider)
        made = _Made()
        async with trio.open_nursery() as asking:
            asking.start_soon(self._give_way, choice.provider, asking.cancel_scope)
            await made.make(self.gateway, choice, _request(choice, asked))
            asking.cancel_scope.cancel(reason="it is answered")
        if made.fault is not None:
            raise made.fault
        if made.answer is None:
            raise _needed(choice.provider)
        usage = made.answer.usage
        return Said(
            text=made.answer.text,
            model=made.answer.model_used,
            tokens=usage.input_tokens + usage.output_tokens,
            cost=made.answer.cost,
        )

    def is_free(self, model: str) -> bool:
        """Whether its price is known, and nothing. Raises ExaiError where nobody offers it."""
        price = self.gateway.choose(model).model.price
        return price is not None and price.input == 0 == price.output

    def _is_needed(self, provider: str) -> bool:
        permits = self.gateway.permits().get(provider)
        return permits is not None and bool(permits.waiting or permits.current < 1)

    async def _give_way(self, provider: str, asking: trio.CancelScope) -> None:
        while True:
            await trio.sleep(_LOOK_S)
            permits = self.gateway.permits().get(provider)
            if permits is not None and permits.waiting:
                asking.cancel(reason="a call waits for the provider")


@structs.define(eq=False)
class _Made:
    """What came of a request: a nursery would wrap its fault."""

    answer: ChatAnswer | None = None
    fault: ExaiError | None = None

    async def make(self, gateway: Gateway, choice: ModelChoice, request: ChatRequest) -> None:
        try:
            self.answer = await gateway.chat(choice, request, Deaf())
        except ExaiError as fault:
            self.fault = fault


def _request(choice: ModelChoice, asked: Asked) -> ChatRequest:
    digest = hashlib.sha256(asked.user.encode(errors="replace")).hexdigest()[:16]
    return ChatRequest(
        model=choice.model.name,
        messages=(Message(role="system", text=asked.system), Message(role="user", text=asked.user)),
        max_output_tokens=asked.most_tokens,
        idempotency_key=f"{asked.purpose}-{digest}",
    )


def _needed(provider: str) -> OverCapacityError:
    return OverCapacityError(f"calls need {provider} now", retry_after_s=_AGAIN_S)
