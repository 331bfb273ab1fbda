"""Answers that follow from the request and the tool list alone. Pure: no trio, no clock, no I/O."""

from . import jsonrpc, prompts, resources
from .jsonrpc import Request
from .params import BadParams, as_object, read_wish
from .tool_list import Listing
from .versions import LIST_TTL_MS, Dialect, discovered


def constant(request: Request, dialect: Dialect) -> bytes:
    """What is always answered alike; anything unknown is refused."""
    match request.method, dialect.stateless:
        case "ping", False:
            return jsonrpc.answer(request.id, {})
        case "server/discover", True:
            return jsonrpc.answer(request.id, dialect.result(discovered()))
        case "resources/templates/list", _:
            return jsonrpc.answer(request.id, resources.templates(dialect))
        case _:
            text = f"method {request.method[:100]!r} is not offered"
            return jsonrpc.error(request.id, jsonrpc.METHOD_NOT_FOUND, text)


def from_listing(request: Request, dialect: Dialect, listing: Listing) -> bytes:
    """The tools, or the prompts that are made from them."""
    try:
        match request.method:
            case "tools/list":
                result = dialect.cached({"tools": listing.tools}, LIST_TTL_MS)
            case "prompts/list":
                told = prompts.prompts(listing.tools)
                result = dialect.cached({"prompts": told}, LIST_TTL_MS)
            case _:
                wish = read_wish(request.params)
                filled = prompts.filled(listing.tools, wish.name, as_object(wish.arguments))
                result = dialect.result(filled)
    except BadParams as fault:
        return jsonrpc.error(request.id, jsonrpc.INVALID_PARAMS, f"{request.method}: {fault}")
    return jsonrpc.answer(request.id, result)
