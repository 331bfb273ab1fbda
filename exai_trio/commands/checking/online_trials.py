"""A short question to each provider that the daemon can ask, for `exai doctor --online`."""

from collections.abc import Iterator
from typing import Any, Final

import trio

from exai_trio.commands.calling.follow_call import Asked
from exai_trio.commands.calling.run_call import run_call
from exai_trio.commands.checking.findings import Daemon, Trial
from exai_trio.commands.client import Dial
from exai_trio.config import Config
from exai_trio.errors import ExaiError
from exai_trio.transport.websocket import PeerGone, Unreachable, connect
from exai_trio.wire.messages import CallFailed

ANSWER_S: Final = 30.0
_QUESTION: Final = {
    "prompt": "Answer with the word ok.",
    "thinking_mode": "minimal",
    "use_websearch": False,
}
# The cheapest of those whose cheapest is not just any.
_CHEAP: Final = {"glm": "glm-4.5-flash"}


async def try_all(config: Config, daemon: Daemon, dial: Dial = connect) -> tuple[Trial, ...]:
    """What came of each, all at once. Raises nothing but Cancelled."""
    found: dict[str, Trial] = {}
    async with trio.open_nursery() as asking:
        for provider, model in _questions(daemon):
            asking.start_soon(_try, config, provider, model, found, dial)
    return tuple(found[name] for name in sorted(found))


def _questions(daemon: Daemon) -> Iterator[tuple[str, str]]:
    for facts in daemon.providers:
        models = _names(facts)
        if facts.get("configured") and models:
            name = str(facts.get("name"))
            cheap = _CHEAP.get(name, "")
            yield name, cheap if cheap in models else models[0]


def _names(facts: dict[str, Any]) -> list[str]:
    return [str(model) for model in facts.get("models") or ()]


async def _try(
    config: Config, provider: str, model: str, found: dict[str, Trial], dial: Dial
) -> None:
    began = trio.current_time()
    asked = Asked(
        tool="chat",
        arguments={**_QUESTION, "model": f"{provider}/{model}"},
        timeout_s=ANSWER_S,
    )
    fault, code = "it was not asked", ""
    try:
        ended = await run_call(config, asked, stream=False, dial=dial)
        if isinstance(ended.outcome, CallFailed):
            fault, code = ended.outcome.error.message, ended.outcome.error.code
        elif ended.outcome is not None:
            seconds = trio.current_time() - began
            found[provider] = Trial(provider=provider, model=model, seconds=seconds)
            return
    except (ExaiError, PeerGone, Unreachable) as raised:
        fault = str(raised)
    found[provider] = Trial(provider=provider, model=model, fault=fault, code=code)
