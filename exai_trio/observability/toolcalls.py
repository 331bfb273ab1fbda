"""What toolcalls.jsonl says of a finished call: the tool, its arguments cut short and redacted, how it ended."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, cast

import msgspec

from exai_trio import structs
from exai_trio.config import Config

from .events import CallEnded
from .line_file import LineFile
from .logs import secrets_of
from .owned_lines import written
from .redaction import Redaction
from .times import rfc3339

FILE_NAME = "toolcalls.jsonl"
_LONGEST = 300  # characters of one argument
_MOST_ITEMS = 5
_SESSIONS = 64  # of which it is known what is left of their ids
_MOST_WAITING = (
    500  # between two writes, a second apart: redacting takes longer than a small call does
)


@structs.frozen(kw_only=True)
class ToolCallLine:
    """`at` unix seconds; `message` is empty for an answer."""

    at: float
    ended: CallEnded
    message: str
    request_id: str
    arguments: Mapping[str, Any]


def shortened(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Cheap, and little to keep: it runs on the event loop for every call. Redaction comes when the line is written."""
    return {str(name)[:80]: _short(value, 0) for name, value in list(arguments.items())[:40]}


def toolcalls_log(config: Config) -> LineFile[ToolCallLine]:
    redaction = Redaction.knowing(secrets_of(config))
    session = lru_cache(_SESSIONS)(redaction.text)  # the same in line after line
    encode = partial(_encoded, redaction=redaction, session=session)
    return LineFile(config.logs / FILE_NAME, encode=encode, most=_MOST_WAITING)


def _encoded(line: ToolCallLine, redaction: Redaction, session: Callable[[str], str]) -> bytes:
    """`latency_ms` from acceptance to outcome; `principal` as log lines name it. What clients and models write is redacted."""
    ended, clean = line.ended, redaction.text
    fields = {
        "t": rfc3339(line.at),
        "tool": ended.tool,
        "ok": not ended.code,
        "code": ended.code,
        "message": line.message and clean(line.message),
        "latency_ms": round(ended.duration_ms, 1),
        "session_id": session(ended.session),
        "request_id": clean(line.request_id),
        "provider": ended.provider,
        "principal": written(ended.principal),
        "arguments": redaction.value(line.arguments),
    }
    try:
        return msgspec.json.encode(fields)
    except ValueError:  # half characters; the client's, and no reason to lose the line
        return msgspec.json.encode(fields | {"arguments": "(not text)"})


def _short(value: object, depth: int) -> object:
    match value:
        case str() if len(value) > _LONGEST:
            return f"{value[:_LONGEST]}… ({len(value):,} characters)"
        case str() | bool() | int() | float() | None:
            return value
        case list() | tuple() if depth < 1:
            items = cast("Sequence[object]", value)
            more = [f"… ({len(items)} in all)"] if len(items) > _MOST_ITEMS else []
            return [*(_short(item, depth + 1) for item in items[:_MOST_ITEMS]), *more]
        case list() | tuple():
            return f"(a list of {len(cast('Sequence[object]', value))})"
        case dict():
            return f"(an object of {len(cast('dict[object, object]', value))} fields)"
        case _:
            return type(value).__name__
