"""The provider's side: the simulator as a process of its own, whose log tells how often a call was truly carried out."""

import json
import re
from typing import Any

import attrs
import trio

from .children import EXAI, Child, environment, start_child

MARK = re.compile(r"call-[0-9]+-[0-9]+")


@attrs.frozen
class Visit:
    """One request that reached the provider: whose it was, by our mark and by its Idempotency-Key."""

    number: int
    mark: str
    key: str
    status: int
    sent: int
    complete: bool


async def fetch(port: int, path: str) -> Any:
    """GET, and the JSON of the answer."""
    return json.loads(await get(port, path))


async def get(port: int, path: str, *, host: str = "127.0.0.1") -> bytes:
    """The body of the answer."""
    head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    async with await trio.open_tcp_stream(host, port) as stream:
        await stream.send_all(head.encode())
        said = b"".join([data async for data in stream])
    return said.partition(b"\r\n\r\n")[2]


@attrs.define(eq=False)
class Provider:
    """A running simulator. `visits` gives each request once; `missed` are those that its log no longer had."""

    child: Child
    port: int
    missed: int = 0
    _seen: int = 0
    _kept: list[Visit] = attrs.field(factory=list[Visit])

    @property
    def settings(self) -> dict[str, str]:
        origin = f"http://127.0.0.1:{self.port}"
        return {
            "GLM_API_KEY": "chaos",
            "GLM_API_URL": f"{origin}/glm/api/paas/v4",
            "KIMI_API_KEY": "chaos",
            "KIMI_API_URL": f"{origin}/kimi/v1",
        }

    async def requests(self) -> list[dict[str, Any]]:
        """All chat requests that it still knows, as it shows them."""
        said = await fetch(self.port, "/_requests?path=/chat/completions")
        found: list[dict[str, Any]] = said["requests"]
        return found

    async def visits(self) -> list[Visit]:
        """The chat requests since the last time; not those that a kill cut off before their body was there."""
        await self.keep_visits()
        visits, self._kept = self._kept, []
        return visits

    async def keep_visits(self) -> None:
        """For `visits`, before its log forgets them."""
        path = f"/_requests?path=/chat/completions&since={self._seen}"
        said = await fetch(self.port, path)
        found = said["requests"]
        self.missed = max(self.missed, said["forgotten"] - self._seen)
        self._seen = max((one["number"] for one in found), default=self._seen)
        self._kept += [_visit(one) for one in found if one["body"]]


def _visit(logged: dict[str, Any]) -> Visit:
    headers = {name.lower(): value for name, value in logged["headers"].items()}
    body = logged["body"] or {"messages": [""]}  # the daemon died while it sent it
    mark = MARK.search(json.dumps(body["messages"][-1]))
    return Visit(
        number=logged["number"],
        mark=mark.group() if mark else "",
        key=headers.get("idempotency-key", ""),
        status=logged["status"] or 0,
        sent=logged["sent"],
        complete=bool(logged["complete"]),
    )


async def start_provider(nursery: trio.Nursery, cwd: trio.Path) -> Provider:
    command = (*EXAI, "simulate", "--port", "0", "--until-eof")
    child = await start_child(nursery, command, environment(cwd), cwd)
    origin = json.loads(await child.line())["simulator"]
    return Provider(child, int(origin.rpartition(":")[2]))
