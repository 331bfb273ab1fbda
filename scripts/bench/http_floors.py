"""What MCP over HTTP is held against, as processes: a bare handler, and the official server application.

`python -m bench.http_floors bare | official`, in scripts/: says its URL on stdout.
"""

import sys

import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from exai_trio.transport.http_site import HttpSite


async def echo(request: Request) -> JSONResponse:
    message = await request.json()
    content = [{"type": "text", "text": message["params"]["arguments"]["prompt"]}]
    return JSONResponse({"jsonrpc": "2.0", "id": message["id"], "result": {"content": content}})


def bare() -> Starlette:
    return Starlette(routes=[Route("/mcp", echo, methods=["POST"])])


def official() -> Starlette:
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("floor")

    @server.tool()
    def test_echo(prompt: str) -> str:
        return prompt

    return server.streamable_http_app(json_response=True)


async def main(kind: str) -> None:
    app = bare() if kind == "bare" else official()
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with app.router.lifespan_context(app), trio.open_nursery() as nursery:
        origin = await nursery.start(HttpSite(app).serve, listeners)
        print(f"{origin}/mcp", flush=True)


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
