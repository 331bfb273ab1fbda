"""What MCP over HTTP is held against, as processes of hypercorn as it is: a bare handler, and the official server application.

`python -m bench.http_floors bare | official`, in scripts/: says its URL on stdout.
"""

import sys

import trio
from hypercorn.config import Config
from hypercorn.trio import serve
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


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
    config = Config()
    config.bind, config.errorlog = ["127.0.0.1:0"], None
    config.keep_alive_max_requests = 1_000_000  # as ours, which has no such limit
    async with trio.open_nursery() as nursery:
        (origin,) = await nursery.start(serve, app, config)
        print(f"{origin}/mcp", flush=True)


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
