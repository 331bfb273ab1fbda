"""The command line that is right where one that could be understood has failed. What cannot even be understood is `repair`'s."""

import shlex
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, cast

from exai_trio import structs
from exai_trio.commands.completion import candidates
from exai_trio.errors import ExaiError
from exai_trio.transport.websocket import Unreachable

Words = Sequence[str]
_QUESTION: Final = "what does this do?"
_VALUED: Final = frozenset({"--home", "--host", "--port", "--timeout"})
_SAMPLES: Final[Mapping[str, str]] = {
    "array": "README.md",
    "boolean": "true",
    "integer": "1",
    "number": "0.5",
    "object": "{}",
    "string": "text",
}


def for_exception(fault: BaseException, words: Words) -> str:
    """What to type instead; "" where the message says it, or nothing helps."""
    match fault:
        case Unreachable():
            return "exai serve"
        case ExaiError():
            return for_failure(fault.code, fault.details, words)
        case _:
            return ""


def for_failure(code: str, details: Mapping[str, Any], words: Words) -> str:
    """The same for a failure of a call; `details` are those of its fault."""
    command = words[0] if words else ""
    if line := _by_details(details, words):
        return line
    if code == "TOOL_NOT_FOUND":
        return _nearest_tool(words, details)
    if command == "call" and _Typed.of(words).tool and code == "VALIDATION_ERROR":
        return _call(words, str(details.get("field", "")))
    if command == "threads":
        return "exai threads list"
    return "exai doctor" if code == "SERVICE_UNAVAILABLE" and command in {"ask", "call"} else ""


def _by_details(details: Mapping[str, Any], words: Words) -> str:
    """Where the fault says which word was wrong."""
    if "typed" in details:
        return _line(_instead(words, str(details["typed"]), str(details.get("instead", ""))))
    if "missing" in details:
        return _line([*words, str(details["missing"])])
    if "model" in details and "nearest" in details:
        return _nearest_model(words, details)
    if details.get("field") == "continuation_id":
        return _line(_without(words, {"-t", "--thread", "-c", "--continue"}, "continuation_id"))
    return ""


def _instead(words: Words, typed: str, instead: str) -> list[str]:
    """With another word in the place of one; without that and the option before it, if there is no other."""
    if typed not in words:
        return list(words)
    at = list(words).index(typed)
    if instead:
        return [*words[:at], instead, *words[at + 1 :]]
    first = at - 1 if words[at - 1] in {"-f", "--file"} else at
    return [*words[:first], *words[at + 1 :]]


def _line(words: Words) -> str:
    return shlex.join(["exai", *words])


def _nearest_tool(words: Words, details: Mapping[str, Any]) -> str:
    nearest = _texts(details.get("nearest"))
    tool = _Typed.of(words).tool
    if not nearest or not get_close_matches(tool, nearest, n=1, cutoff=0.5):
        return "exai tools"
    return _call([nearest[0] if word == tool else word for word in words], "")


def _nearest_model(words: Words, details: Mapping[str, Any]) -> str:
    wrong, nearest = str(details.get("model", "")), _texts(details["nearest"])
    if not nearest or not wrong:
        return "exai models"
    return _line([word.replace(wrong, nearest[0]) for word in words])


def _texts(value: object) -> list[str]:
    return [str(each) for each in cast("list[object]", value)] if isinstance(value, list) else []


def _without(words: Words, options: set[str], key: str) -> list[str]:
    """Without these options, the values of those that have one, and the argument of that name."""
    kept: list[str] = []
    skips = False
    for word in words:
        if skips or word.startswith(f"{key}="):
            skips = False
        elif word in options:
            skips = word in {"-t", "--thread"}
        elif word.partition("=")[0] not in options:
            kept.append(word)
    return kept


@structs.frozen(kw_only=True)
class _Typed:
    """The words of `exai call`, sorted."""

    tool: str
    pairs: list[tuple[str, str]]
    strays: list[str]
    options: list[str]

    @classmethod
    def of(cls, words: Words) -> "_Typed":
        left, options, others = list(words[1:]), list[str](), list[str]()
        while left:
            word = left.pop(0)
            if not word.startswith("-"):
                others.append(word)
                continue
            options.append(word)
            if word in _VALUED and left:
                options.append(left.pop(0))
        pairs = [
            (key, value)
            for key, _, value in (word.partition("=") for word in others[1:] if "=" in word)
        ]
        strays = [word for word in others[1:] if "=" not in word]
        return cls(tool=others[0] if others else "", pairs=pairs, strays=strays, options=options)


def _call(words: Words, field: str) -> str:
    """The call with arguments that its tool takes: those that were right, and samples for what is missing."""
    typed = _Typed.of(words)
    schema = candidates.schema(typed.tool)
    properties = cast("dict[str, Any]", schema.get("properties", {}))
    given: dict[str, str] = {}
    for key, value in typed.pairs:
        name = _known(key, properties)
        if name:
            is_wrong = (key == field and name == key) or _is_lost_file(value)
            given[name] = _sample(name, properties) if is_wrong else value
    if typed.strays and "prompt" in properties:
        given.setdefault("prompt", " ".join(typed.strays))
    for name in schema.get("required", ()):
        given.setdefault(name, _sample(name, properties))
    pairs = [f"{name}={value}" for name, value in given.items()]
    return _line(["call", typed.tool, *pairs, *typed.options])


def _is_lost_file(value: str) -> bool:
    return (
        value.startswith("@")
        and not value.startswith(("@@", "@-"))
        and not Path(value[1:]).is_file()
    )


def _known(key: str, properties: Mapping[str, Any]) -> str:
    if key in properties:
        return key
    near = get_close_matches(key, properties, n=1)
    return near[0] if near else ""


def _sample(name: str, properties: Mapping[str, Any]) -> str:
    schema = properties.get(name, {})
    if name == "prompt":
        return _QUESTION
    if choices := schema.get("enum"):
        return str(choices[0])
    return _SAMPLES.get(str(schema.get("type")), "text")
