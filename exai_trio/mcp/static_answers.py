"""Answers that follow from the request and the tool list alone. Pure: no trio, no clock, no I/O."""

from . import jsonrpc, prompts, resources
from .jsonrpc import Request
from .params import BadParams, read_wish
from .tool_list import Listing
from .versions import Dialect, discovered, listed, prompts_listed


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
                result = listed(dialect, listing.tools)
            case "prompts/list":
                result = prompts_listed(dialect, prompts.prompts(listing.tools))
            case _:
                wish = read_wish(request.params)
                filled = prompts.filled(listing.tools, wish.name, wish.arguments or {})
                result = dialect.result(filled)
    except BadParams as fault:
        return jsonrpc.error(request.id, jsonrpc.INVALID_PARAMS, f"{request.method}: {fault}")
    return jsonrpc.answer(request.id, result)
