"""Conversations as MCP resources, and completion: what is asked of the daemon's tool `threads`, and its answers told. Pure."""

from typing import Any, Final
from urllib.parse import quote, unquote

import msgspec

from . import jsonrpc
from .jsonrpc import Id
from .params import BadParams, Call, Wish, as_object
from .versions import Dialect, Result

TOOL: Final = "threads"
METHODS: Final = frozenset({"resources/list", "resources/read", "completion/complete"})
_SCHEME: Final = "exai://threads/"
_TEMPLATE: Final = {
    "uriTemplate": _SCHEME + "{continuation_id}",
    "name": "thread",
    "title": "Conversation",
    "description": "A conversation with all its questions and answers",
    "mimeType": "text/markdown",
}
_TTL_MS: Final = 1_000
_NOT_FOUND_BY_HANDSHAKE: Final = -32002
_AWAY: Final = 1002  # our own codes lie outside what JSON-RPC and MCP keep for themselves
_MOST: Final = 100  # values that one completion may have
_answers = msgspec.json.Decoder(dict[str, Any])


def templates(dialect: Dialect) -> Result:
    """The answer to resources/templates/list."""
    return dialect.cached({"resourceTemplates": [_TEMPLATE]}, _TTL_MS)


def asked(method: str, id_: Id, wish: Wish, dialect: Dialect) -> Call:
    """The call of the daemon's tool that answers this request. Raises BadParams."""
    arguments = _arguments(method, wish)
    return Call(
        id=id_,
        name=TOOL,
        arguments=msgspec.Raw(msgspec.json.encode(arguments)),
        dialect=dialect,
        method=method,
    )


def _arguments(method: str, wish: Wish) -> dict[str, str]:
    match method:
        case "resources/list":
            return {"operation": "list"}
        case "resources/read":
            if not isinstance(wish.uri, str) or not wish.uri.startswith(_SCHEME):
                raise BadParams(f"uri must begin with {_SCHEME}")
            return {"operation": "read", "value": unquote(wish.uri.removeprefix(_SCHEME))}
        case _:
            argument = as_object(wish.argument)
            name, value = argument.get("name"), argument.get("value")
            if not isinstance(name, str) or not isinstance(value, str) or not as_object(wish.ref):
                raise BadParams("ref and argument {name, value} are needed")
            return {"operation": "complete", "argument": name, "value": value}


def told(call_id: Id, method: str, text: str, dialect: Dialect) -> bytes:
    """The line that answers the request, from the tool's answer."""
    found = _answers.decode(text)
    match method:
        case "resources/list":
            resources = [_resource(thread) for thread in found.get("threads", ())]
            return jsonrpc.answer(call_id, dialect.cached({"resources": resources}, _TTL_MS))
        case "resources/read":
            uri = _SCHEME + quote(str(found.get("continuation_id", "")))
            content = {"uri": uri, "mimeType": "text/markdown", "text": found.get("content", "")}
            return jsonrpc.answer(call_id, dialect.cached({"contents": [content]}, _TTL_MS))
        case _:
            values = list(map(str, found.get("values", ())))
            return jsonrpc.answer(call_id, _completion(values, dialect))


def missed(call_id: Id, method: str, code: str, message: str, dialect: Dialect) -> bytes:
    """The line for a request that got no answer: lists are empty, a conversation that cannot be read is an error."""
    match method:
        case "resources/list":
            return jsonrpc.answer(call_id, dialect.cached({"resources": []}, _TTL_MS))
        case "completion/complete":
            return jsonrpc.answer(call_id, _completion([], dialect))
        case _ if code == "NOT_FOUND":
            number = jsonrpc.INVALID_PARAMS if dialect.stateless else _NOT_FOUND_BY_HANDSHAKE
            return jsonrpc.error(call_id, number, message)
        case _:
            return jsonrpc.error(call_id, _AWAY, message)


def _resource(thread: dict[str, Any]) -> dict[str, Any]:
    return {
        "uri": _SCHEME + quote(str(thread["continuation_id"])),
        "name": str(thread["continuation_id"]),
        "title": str(thread["title"]),
        "description": _about(thread),
        "mimeType": "text/markdown",
    }


def _about(thread: dict[str, Any]) -> str:
    """A title that somebody gave it does not say what it is about."""
    named = thread["title"] != thread.get("opening", thread["title"])
    opening = f"{thread['opening']}: " if named and thread["opening"] else ""
    return f"{opening}{thread['turns']} turns, last {thread['last']}"


def _completion(values: list[str], dialect: Dialect) -> Result:
    shown = values[:_MOST]
    more = len(values) > _MOST
    return dialect.result({"completion": {"values": shown, "total": len(values), "hasMore": more}})
