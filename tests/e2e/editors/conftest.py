"""Editors: the official MCP client on a real shim, and what came over the wire, in order."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import pytest
import trio

if TYPE_CHECKING:
    from mcp import Client

REPOSITORY = Path(__file__).resolve().parents[3]


@attrs.define
class Editor:
    """A client in one of the eras: "legacy" says initialize, "auto" asks server/discover. `heard` is every line of the shim's."""

    client: "Client"
    heard: list[Any]

    async def call(self, name: str, progress: Any = None, **arguments: Any) -> Any:
        return await self.client.call_tool(name, arguments, progress_callback=progress)

    def progress(self) -> list[dict[str, Any]]:
        """The parameters of all progress notifications so far, in the order of the wire."""
        from mcp_types import JSONRPCNotification

        notices = [one for one in self.heard if isinstance(one, JSONRPCNotification)]
        return [one.params for one in notices if one.method == "notifications/progress"]

    def answered(self) -> list[Any]:
        """The ids of all requests that were answered so far."""
        from mcp_types import JSONRPCNotification

        return [one.id for one in self.heard if not isinstance(one, JSONRPCNotification)]


@asynccontextmanager
async def tapped(transport: Any, heard: list[Any]) -> AsyncIterator[Any]:
    """A transport that keeps what it delivers."""
    deliver, delivered = anyio.create_memory_object_stream[Any](1000)

    async def pump(source: Any) -> None:
        async with deliver:
            async for item in source:
                assert not isinstance(item, Exception), item
                heard.append(item.message)
                await deliver.send(item)

    async with transport as (source, sink), trio.open_nursery() as pumping, delivered:
        pumping.start_soon(pump, source)
        yield delivered, sink
        pumping.cancel_scope.cancel()


@pytest.fixture
def editor() -> Callable[..., Any]:
    """`async with editor(place, mode="legacy")`: an editor whose shim works in this repository, at that place's daemon."""

    @asynccontextmanager
    async def open_editor(
        place: Any, mode: str = "legacy", **settings: str
    ) -> AsyncIterator[Editor]:
        # The fast suite loads this module and needs none of it: half a second for each of its workers.
        from mcp import Client, StdioServerParameters
        from mcp.client.stdio import stdio_client

        shim = StdioServerParameters(
            command=place.python, args=["-P", "-m", "exai_trio", "shim"],
            env={**place.environ, **settings}, cwd=REPOSITORY,
        )  # fmt: skip
        heard: list[Any] = []
        with (place.home / "shim.err").open("a+") as complaints:
            transport = tapped(stdio_client(shim, errlog=complaints), heard)
            async with Client(transport, mode=mode) as client:
                yield Editor(client, heard)
            complaints.seek(0)
            assert "" == complaints.read()

    return open_editor
