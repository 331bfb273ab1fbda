"""One short question to a provider, to see whether it answers."""

from collections.abc import Callable, Mapping
from typing import Final

import trio

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.errors import ExaiError, NotFoundError
from exai_trio.providers.attempts import Deaf
from exai_trio.providers.base import ChatRequest, Message
from exai_trio.providers.gateway import Gateway, open_gateway

_QUESTION: Final = "Answer with the one word: OK"
_USUAL: Final[Mapping[str, str]] = {
    "glm": "glm-4.5-flash",
    "kimi": "kimi-k2.6",
}  # of those that cost little


@structs.frozen(kw_only=True)
class Trial:
    """How it went with one provider; `fault` is empty if it answered. `window` is what its model holds, None if unknown."""

    provider: str
    model: str = ""
    window: int | None = None
    seconds: float = 0.0
    fault: str = ""


async def try_all(config: Config, only: str, tell: Callable[[Trial], None]) -> None:
    """Ask each configured provider, or the one that is named, one after the other, and tell how it went.

    Raises ArgumentError for a file of providers that cannot be used. Cancelling ends the question at once.
    """
    async with open_gateway(config) as gateway:
        await gateway.look_again()
        for facts in gateway.providers():
            name, configured = str(facts["name"]), bool(facts["configured"])
            if name == only and not configured:
                tell(Trial(provider=name, fault=str(facts["remedy"])))
            elif configured and only in {"", name}:
                tell(await _tried(gateway, name))


async def _tried(gateway: Gateway, provider: str) -> Trial:
    began, model = trio.current_time(), ""
    try:
        model = await _model_of(gateway, provider)
        choice = gateway.choose(f"{provider}/{model}")
        messages = (Message(role="user", text=_QUESTION),)
        request = ChatRequest(model=choice.model.name, messages=messages, thinking="minimal")
        await gateway.chat(choice, request, Deaf())
    except ExaiError as fault:
        return Trial(provider=provider, model=model, fault=fault.message)
    seconds = trio.current_time() - began
    window = choice.model.context_window
    return Trial(provider=provider, model=choice.model.name, window=window, seconds=seconds)


async def _model_of(gateway: Gateway, provider: str) -> str:
    """Its usual one, one that is known, or one that it offers. Raises ExaiError."""
    if provider in _USUAL:
        return _USUAL[provider]
    for model in gateway.models():
        if model.provider == provider:
            return model.name
    offered = await gateway.ask(provider, lambda service: service.list_models(), Deaf())
    if not offered:
        raise NotFoundError("it answers, and has no model")
    return offered[0].name
