"""A chat request as both services read it: who said what, with which pictures and tool calls. Pure: no trio, no clock, no I/O.

Reads leniently; what is wrong with a request is for glm_rules and kimi_rules to say.
"""

import hashlib
import json
from typing import Any

from exai_trio import structs

from ..json_fields import a_list, a_number, a_text, an_object, dumped


@structs.frozen(kw_only=True)
class Called:
    """A tool call; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str
    type: str = "function"


@structs.frozen(kw_only=True)
class Said:
    """One message. `answers` is the id of the call that a tool message answers; media are URLs."""

    role: str
    text: str = ""
    images: tuple[str, ...] = ()
    videos: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    calls: tuple[Called, ...] = ()
    answers: str = ""
    reasoning: str | None = None
    partial: bool = False


@structs.frozen(kw_only=True)
class Prompt:
    """A whole request; `body` is the JSON it came as."""

    body: dict[str, Any]
    model: str
    messages: tuple[Said, ...]
    tools: tuple[dict[str, Any], ...]

    @property
    def stream(self) -> bool:
        return self.body.get("stream") is True

    @property
    def last_user(self) -> str:
        return next((said.text for said in reversed(self.messages) if said.role == "user"), "")

    @property
    def thinking_type(self) -> str:
        return a_text(an_object(self.body.get("thinking")).get("type"))

    @property
    def effort(self) -> str:
        return a_text(self.body.get("reasoning_effort"))

    @property
    def max_tokens(self) -> int | None:
        """The output limit the client set, under either name."""
        asked = self.body.get("max_completion_tokens", self.body.get("max_tokens"))
        number = a_number(asked)
        return None if number is None else int(number)

    @property
    def tool_results(self) -> tuple[Said, ...]:
        """The tool messages that end the conversation, if the model is being told what its calls gave."""
        ending: list[Said] = []
        for said in reversed(self.messages):
            if said.role != "tool":
                break
            ending.append(said)
        return tuple(reversed(ending))

    def tool_names(self, kind: str = "function") -> tuple[str, ...]:
        functions = (
            an_object(tool.get("function")) for tool in self.tools if tool.get("type") == kind
        )
        return tuple(a_text(function.get("name")) for function in functions)

    def system_sha(self) -> str:
        """Eight hex digits over all system text, or '-' when there is none."""
        system = "\n".join(said.text for said in self.messages if said.role == "system")
        return sha(system) if system else "-"


def sha(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def prompt_from(body: dict[str, Any]) -> Prompt:
    return Prompt(
        body=body,
        model=a_text(body.get("model")),
        messages=tuple(_said(an_object(message)) for message in a_list(body.get("messages"))),
        tools=tuple(an_object(tool) for tool in a_list(body.get("tools"))),
    )


def _said(message: dict[str, Any]) -> Said:
    parts = [an_object(part) for part in a_list(message.get("content"))]
    return Said(
        role=a_text(message.get("role")),
        text=a_text(message.get("content")) + "\n".join(_texts(parts)),
        images=_urls(parts, "image_url"),
        videos=_urls(parts, "video_url"),
        files=_urls(parts, "file_url"),
        calls=tuple(_called(an_object(call)) for call in a_list(message.get("tool_calls"))),
        answers=a_text(message.get("tool_call_id")),
        reasoning=_reasoning(message),
        partial=message.get("partial") is True,
    )


def _reasoning(message: dict[str, Any]) -> str | None:
    found = message.get("reasoning_content")
    return found if isinstance(found, str) else None


def _texts(parts: list[dict[str, Any]]) -> list[str]:
    return [a_text(part.get("text")) for part in parts if part.get("type") == "text"]


def _urls(parts: list[dict[str, Any]], kind: str) -> tuple[str, ...]:
    """A medium is an object with `url`, or the URL itself."""
    found = (part.get(kind) for part in parts if part.get("type") == kind)
    return tuple(a_text(an_object(medium).get("url")) or a_text(medium) for medium in found)


def _called(call: dict[str, Any]) -> Called:
    function = an_object(call.get("function"))
    arguments = function.get("arguments")
    return Called(
        id=a_text(call.get("id")),
        type=a_text(call.get("type")) or "function",
        name=a_text(function.get("name")),
        arguments=arguments if isinstance(arguments, str) else json.dumps(arguments),
    )


def rendered(said: Said) -> str:
    """A message as the text that the model reads: what is counted, and what a prompt cache compares."""
    calls = "".join(f"{call.name}({call.arguments})" for call in said.calls)
    media = "".join((*said.images, *said.videos, *said.files))
    return f"<{said.role}>{said.reasoning or ''}{said.text}{calls}{media}"


def rendered_tools(prompt: Prompt) -> str:
    return dumped(list(prompt.tools)).decode() if prompt.tools else ""
