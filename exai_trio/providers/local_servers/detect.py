"""Finding the model servers of this machine: all addresses at once, in less than a second, and whose they are."""

import os
from collections.abc import Iterable, Mapping
from typing import Final

import trio

from exai_trio import structs
from exai_trio.transport.peer_identity import listener_uids

from .addresses import Address, usual
from .look import Server, look

MOST_S: Final = 0.9
_ROOT: Final = 0


@structs.frozen(kw_only=True)
class Found:
    """A server, and whether it may be used without asking: its port is this user's, or root's, and nobody else's."""

    server: Server
    ours: bool


async def detect(environ: Mapping[str, str]) -> tuple[Found, ...]:
    """The servers at the usual addresses and at OLLAMA_HOST. Nothing is sent but GETs without keys.

    Takes at most MOST_S, whoever hangs. Raises nothing; cancelling closes every connection.
    """
    return await detect_at(usual(environ))


async def detect_at(addresses: Iterable[Address]) -> tuple[Found, ...]:
    """The same for these addresses, in their order. Cancelling closes the sockets."""
    found: dict[Address, Server] = {}
    places = tuple(addresses)
    with trio.move_on_after(MOST_S):
        async with trio.open_nursery() as looks:
            for address in places:
                looks.start_soon(_note, address, found)
    servers = [found[address] for address in places if address in found]
    return tuple([Found(server=server, ours=await is_ours(server.address)) for server in servers])


async def is_ours(address: Address) -> bool:
    """Whether everybody who listens on that port is this user or root. Not known is no.
    Cancelling takes effect when the thread that looks is done."""
    uids = await trio.to_thread.run_sync(listener_uids, address.port)
    return bool(uids) and uids <= {os.geteuid(), _ROOT}


async def _note(address: Address, found: dict[Address, Server]) -> None:
    server = await look(address)
    if server is not None:
        found[address] = server


def usable(found: Iterable[Found]) -> tuple[Server, ...]:
    """Those that can be asked without a key and without asking the user."""
    return tuple(
        each.server
        for each in found
        if each.ours and each.server.models and not each.server.wants_key
    )


def named(server: Server, taken: Iterable[str] = ()) -> str:
    """A provider's name for it that is not among the taken ones."""
    base = server.kind.lower().replace(" ", "") or "local"
    names = (base, *(f"{base}-{number}" for number in range(2, 1000)))
    return next(name for name in names if name not in frozenset(taken))
