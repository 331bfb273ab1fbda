"""What `exai init` has found, what can be made of it, and what is going to be done. Pure.

The order is: what is configured already, keys, model servers of this machine, the simulator.
"""

from collections.abc import Iterator
from typing import Final

import attrs

from exai_trio import structs
from exai_trio.commands.initial.key_advice import GLM, KIMI, TITLES
from exai_trio.providers.local_servers.look import Server

SIMULATE: Final = "EXAI_SIMULATE"
_TYPED: Final = (GLM, KIMI)


@structs.frozen(kw_only=True)
class Choice:
    """A way to get answers. `settings` are to be written, `server` is to be added, `ask_for` is a key that is still to be typed.
    `known` are the keys whose provider can be tried; `real` says that a model answers."""

    text: str
    settings: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)
    server: Server | None = None
    ask_for: str = ""
    known: tuple[str, ...] = ()
    real: bool = True


@structs.frozen(kw_only=True)
class Found:
    """`configured` names what answers already. `keys` are those of the shell, by setting, and `beside` what else of the shell
    belongs to them. `servers` may be used, `strangers` only if somebody says so. `simulated` says that EXAI_SIMULATE is true."""

    configured: tuple[str, ...] = ()
    keys: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)
    beside: tuple[tuple[str, str], ...] = ()
    servers: tuple[Server, ...] = ()
    strangers: tuple[Server, ...] = ()
    editors: tuple[str, ...] = ()
    simulated: bool = False


@structs.frozen(kw_only=True)
class Plan:
    """`no_more_simulated` takes EXAI_SIMULATE out of the user's own settings."""

    choice: Choice
    editors: tuple[str, ...]
    no_more_simulated: bool = False

    @property
    def changes_settings(self) -> bool:
        """Whether a daemon that runs lacks something then."""
        return bool(self.choice.settings or self.choice.server or self.no_more_simulated)


def choices(found: Found) -> tuple[Choice, ...]:
    """All ways there are, the default first."""
    return tuple(_choices(found))


def _choices(found: Found) -> Iterator[Choice]:
    if found.configured:
        titles = ", ".join(TITLES.get(name, name) for name in found.configured)
        yield Choice(text=f"what is configured: {titles}", known=found.configured)
    if found.keys:
        names = tuple(name for name, _ in found.keys)
        text = " and ".join(f"{TITLES[name]}, with this shell's {name}" for name in names)
        yield Choice(text=text, settings=(*found.keys, *found.beside), known=names)
    yield from (Choice(text=_title(server), server=server) for server in found.servers)
    simulator = Choice(
        text="the simulator: made-up answers, to try EXAI without a key",
        settings=() if found.simulated else ((SIMULATE, "true"),),
        real=False,
    )
    yield simulator
    for server in found.strangers:
        text = f"{_title(server)}, which another user runs"
        yield Choice(text=text, server=server)
    for name in _TYPED:
        yield Choice(text=f"a key for {TITLES[name]}, to be typed", ask_for=name, known=(name,))


def _title(server: Server) -> str:
    count = len(server.models)
    return f"{server.title} at {server.base_url} ({count} model{'' if count == 1 else 's'})"


def typed(choice: Choice, key: str) -> Choice:
    """The choice with the key that was typed."""
    return attrs.evolve(choice, settings=((choice.ask_for, key),), ask_for="")


def planned(choice: Choice, editors: tuple[str, ...], found: Found) -> Plan:
    return Plan(choice=choice, editors=editors, no_more_simulated=choice.real and found.simulated)
