"""What is wrong with the running daemon, seen from inside, each fault with its remedy; and whether providers can be reached."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import trio

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.principals import OWNER
from exai_trio.tools.base import Services
from exai_trio.tools.diagnostics import rendering

PROBE_S = 3.0
_PORTS = {"http": 80, "https": 443}


@structs.frozen(kw_only=True)
class Finding:
    """One thing that was looked at. Without a `fault` it is in order."""

    subject: str
    fault: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        return (
            f"{self.subject}: {self.fault}. {self.remedy}" if self.fault else f"{self.subject}: ok"
        )


async def examine(services: Services) -> list[Finding]:
    """Look at providers, store, allowed roots and the daemon's state; changes nothing. Cancelling leaves nothing."""
    return [
        _daemon(services.daemon.health()),
        _providers(services),
        await _store(services),
        *[await _root(root) for root in map(trio.Path, services.config.allowed_roots)],
    ]


def _daemon(health: Mapping[str, Any]) -> Finding:
    if health.get("draining") or health.get("status") == "draining":
        return Finding(
            subject="daemon",
            fault="it is shutting down",
            remedy="The shim connects to the next one by itself",
        )
    return Finding(subject="daemon")


def _providers(services: Services) -> Finding:
    known = [rendering.as_mapping(facts) for facts in services.gateway.providers()]
    if not any(facts.get("configured", True) for facts in known):
        return Finding(
            subject="providers",
            fault="none is configured",
            remedy="Set GLM_API_KEY or KIMI_API_KEY, or EXAI_SIMULATE=true to try EXAI without a key",
        )
    return Finding(subject="providers")


async def _store(services: Services) -> Finding:
    try:
        await services.conversations.of(OWNER).load("self-check", services.now())
    except StorageError as fault:
        return Finding(subject="store", fault="it cannot be read", remedy=str(fault))
    return Finding(subject="store")


async def _root(root: trio.Path) -> Finding:
    subject = f"allowed root {root}"
    if await root.is_dir():
        return Finding(subject=subject)
    return Finding(
        subject=subject, fault="there is no such directory", remedy="Correct EXAI_ALLOWED_ROOTS"
    )


async def probe(services: Services) -> list[str]:
    """Connect to the address of each configured provider, all at once; sends nothing, needs no key.
    Cancelling closes all connections."""
    found: dict[str, str] = {}
    known = [rendering.as_mapping(facts) for facts in services.gateway.providers()]
    targets = [facts for facts in known if facts.get("configured", True) and facts.get("base_url")]
    async with trio.open_nursery() as probing:
        for facts in targets:
            probing.start_soon(_connect, str(facts.get("name", "?")), str(facts["base_url"]), found)
    return [f"{name}: {found[name]}" for name in sorted(found)]


async def _connect(name: str, base_url: str, found: dict[str, str]) -> None:
    address = urlsplit(base_url)
    host, port = address.hostname or "", address.port or _PORTS.get(address.scheme, 443)
    found[name] = f"{host}:{port} did not answer within {PROBE_S:g} s"
    started = trio.current_time()
    with trio.move_on_after(PROBE_S):
        try:
            stream = await trio.open_tcp_stream(host, port)
        except OSError as fault:
            found[name] = f"{host}:{port} cannot be reached: {fault}"
            return
        found[name] = f"{host}:{port} reached in {(trio.current_time() - started) * 1000:.0f} ms"
        await stream.aclose()
