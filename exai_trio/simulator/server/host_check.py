"""ASGI middleware: the simulator shows prompts, so a page of another site must not reach it.

The rule is that of all our ports.
"""

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from exai_trio.wire.hosts import OurNames


class HostCheck:
    """`names` are those under which we may be asked, beside the address that a request came in on."""

    def __init__(self, app: ASGIApp, names: OurNames) -> None:
        self.app = app
        self.names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        here = scope.get("server")
        refused = self.names.refusal(scope["headers"], here[0] if here else "")
        if refused is None:
            await self.app(scope, receive, send)
        else:
            answer = PlainTextResponse(refused.text + "\n", status_code=refused.status)
            await answer(scope, receive, send)
