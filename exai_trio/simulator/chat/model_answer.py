"""What the simulated model answers: made from the prompt alone, so that a test can see what arrived. Pure: no trio, no clock, no I/O.

How an answer looks on the wire is for glm_shape and kimi_shape.
"""

import json
import re
from collections.abc import Iterable
from typing import Any, Literal

import attrs

from exai_trio import structs

from ..faults import Fault
from ..json_fields import a_list, a_text, an_object
from .prompt import Called, Prompt, sha
from .prompt_cache import Usage, prompt_tokens, tokens_of
from .scripted_answers import scripted_answer
from .wanted_calls import wanted_calls

LABEL = "[simulated] This answer comes from EXAI's provider simulator; no model was asked."
REASONING_LABEL = "[simulated reasoning]"
ECHO = 2_000
PIECE_TOKENS = 4
PIECE_CHARS = 16
CREATED = 1_790_000_000

Vendor = Literal["glm", "kimi"]


@structs.frozen(kw_only=True)
class Circumstances:
    """What the answer depends on besides the prompt: the service, its model's limits, its cache, what a test asked for."""

    vendor: Vendor
    number: int
    thinks: bool
    cached: int = 0
    default_output: int | None = None
    web_results: tuple[dict[str, Any], ...] = ()
    fault: Fault = attrs.field(factory=Fault)


@structs.frozen(kw_only=True)
class Answer:
    """A whole answer; `reasoning` and `text` come in the pieces in which a stream sends them."""

    id: str
    created: int
    model: str
    request_id: str
    reasoning: tuple[str, ...]
    text: tuple[str, ...]
    calls: tuple[Called, ...]
    finish: str
    usage: Usage
    web_results: tuple[dict[str, Any], ...] = ()


@structs.frozen
class _Pieces:
    """Text cut for streaming; every piece counts as `weight` tokens, the last one as what is left of it."""

    pieces: tuple[str, ...]
    weight: int

    def tokens(self) -> int:
        if self.weight == 1:
            return len(self.pieces)
        return tokens_of("".join(self.pieces))

    def within(self, budget: int | None) -> "_Pieces":
        if budget is None or self.tokens() <= budget:
            return self
        if self.weight == 1:
            return _Pieces(self.pieces[: max(0, budget)], 1)
        return _cut("".join(self.pieces)[: max(0, budget) * PIECE_CHARS // PIECE_TOKENS])


def _cut(text: str) -> _Pieces:
    starts = range(0, len(text), PIECE_CHARS)
    return _Pieces(tuple(text[start : start + PIECE_CHARS] for start in starts), PIECE_TOKENS)


def _counted(words: Iterable[str]) -> _Pieces:
    return _Pieces(tuple(words), 1)


def answer(prompt: Prompt, around: Circumstances) -> Answer:
    """The one answer to this prompt under these circumstances."""
    fault = around.fault
    calls = () if fault.empty else wanted_calls(prompt, fault)
    reasoning = _reasoning(prompt, around)
    text = _Pieces((), 1) if fault.empty or calls else _text(prompt, around)
    if fault.think_tags and reasoning.pieces:
        text = _cut(f"<think>{''.join(reasoning.pieces)}</think>{''.join(text.pieces)}")
        reasoning = _Pieces((), 1)
    budget = prompt.max_tokens or around.default_output
    kept_reasoning = reasoning.within(budget)
    left = None if budget is None else budget - kept_reasoning.tokens()
    kept = text.within(left)
    short = kept != text or kept_reasoning != reasoning
    in_calls = sum(tokens_of(call.name) + tokens_of(call.arguments) for call in calls)
    return Answer(
        id=f"sim-{around.vendor}-{around.number:06d}",
        created=CREATED + around.number,
        model=prompt.model,
        request_id=a_text(prompt.body.get("request_id")) or f"sim-request-{around.number:06d}",
        reasoning=kept_reasoning.pieces,
        text=kept.pieces,
        calls=calls,
        finish=fault.finish or _finish(calls, short=short),
        usage=Usage(
            prompt=prompt_tokens(prompt),
            completion=kept_reasoning.tokens() + kept.tokens() + in_calls,
            reasoning=kept_reasoning.tokens(),
            cached=around.cached,
        ),
        web_results=around.web_results,
    )


def _finish(calls: tuple[Called, ...], *, short: bool) -> str:
    if calls:
        return "tool_calls"
    return "length" if short else "stop"


def _reasoning(prompt: Prompt, around: Circumstances) -> _Pieces:
    fault = around.fault
    if fault.empty or not around.thinks or fault.reasoning == 0:
        return _Pieces((), 1)
    if fault.reasoning is not None:
        return _counted(f"thought{number} " for number in range(fault.reasoning))
    count = len(prompt.messages)
    return _cut(f"{REASONING_LABEL} {count} messages, {len(prompt.last_user)} characters asked.")


def _text(prompt: Prompt, around: Circumstances) -> _Pieces:
    fault = around.fault
    if fault.say is not None:
        return _cut(fault.say)
    if fault.tokens is not None:
        return _counted(_words(fault.tokens))
    scripted = scripted_answer(prompt.last_user)
    if scripted is not None:
        return _cut(scripted)
    said = facts(prompt, around)
    if an_object(prompt.body.get("response_format")).get("type", "text") != "text":
        return _cut(json.dumps({"simulated": True, **said}, ensure_ascii=False))
    listed = " ".join(f"{name}={value}" for name, value in said.items() if name != "last_user")
    return _cut(_stopped(f"{LABEL}\n{listed}\nLast user message: {said['last_user']}", prompt))


def _words(count: int) -> Iterable[str]:
    return (("[simulated] " if number == 0 else f"word{number} ") for number in range(count))


def facts(prompt: Prompt, around: Circumstances) -> dict[str, Any]:
    """What arrived, in the order in which the answer names it."""
    messages = prompt.messages
    return {
        "provider": around.vendor,
        "model": prompt.model,
        "messages": len(messages),
        "roles": ",".join(said.role for said in messages[:40]),
        "system_sha": prompt.system_sha(),
        "user_sha": sha(prompt.last_user),
        "images": sum(len(said.images) + len(said.videos) for said in messages),
        "files": sum(len(said.files) for said in messages),
        "tools": len(prompt.tools),
        "tool_results": len(prompt.tool_results),
        "tool_results_sha": sha("".join(said.text for said in prompt.tool_results)),
        "web_results": len(around.web_results),
        "thinking": "on" if around.thinks else "off",
        "effort": prompt.effort or "-",
        "temperature": prompt.body.get("temperature", "-"),
        "max_tokens": prompt.max_tokens or "-",
        "last_user": _echo(prompt.last_user),
    }


def _echo(text: str) -> str:
    """The words of the user, without directives: an answer must not ask for faults when it is quoted."""
    plain = re.sub(r"\[\[simulate:.*?\]\]", "", text, flags=re.DOTALL).strip()
    return plain if len(plain) <= ECHO else f"{plain[:ECHO]}… ({len(plain)} characters)"


def _stopped(text: str, prompt: Prompt) -> str:
    stop = prompt.body.get("stop")
    words = [a_text(word) for word in a_list(stop) or [stop]]
    places = [text.find(word) for word in words if word and word in text]
    return text[: min(places)] if places else text
