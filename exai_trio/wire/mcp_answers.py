"""Answers that follow from the request and the tool list alone. Pure: no trio, no clock, no I/O."""

from . import mcp, mcp_prompts, mcp_threads
from .mcp import Request
from .mcp_dialect import Dialect, discovered, listed, prompts_listed
from .mcp_listing import Listing
from .mcp_params import BadParams, read_wish


def constant(request: Request, dialect: Dialect) -> bytes:
    """What is always answered alike; anything unknown is refused."""
    match request.method, dialect.stateless:
        case "ping", False:
            return mcp.answer(request.id, {})
        case "server/discover", True:
            return mcp.answer(request.id, dialect.result(discovered()))
        case "resources/templates/list", _:
            return mcp.answer(request.id, mcp_threads.templates(dialect))
        case _:
            text = f"method {request.method[:100]!r} is not offered"
            return mcp.error(request.id, mcp.METHOD_NOT_FOUND, text)


def from_listing(request: Request, dialect: Dialect, listing: Listing) -> bytes:
    """The tools, or the prompts that are made from them."""
    try:
        match request.method:
            case "tools/list":
                result = listed(dialect, listing.tools)
            case "prompts/list":
                result = prompts_listed(dialect, mcp_prompts.prompts(listing.tools))
            case _:
                wish = read_wish(request.params)
                filled = mcp_prompts.filled(listing.tools, wish.name, wish.arguments or {})
                result = dialect.result(filled)
    except BadParams as fault:
        return mcp.error(request.id, mcp.INVALID_PARAMS, f"{request.method}: {fault}")
    return mcp.answer(request.id, result)
