"""`exai alerts`: those that fire, and one kept quiet for a while."""

from collections.abc import Awaitable, Callable

import attrs
import trio

from exai_trio.commands.console import Console, columns
from exai_trio.commands.invocation import Started
from exai_trio.commands.watching.open_home import in_home
from exai_trio.errors import ArgumentError
from exai_trio.monitoring.alerts.alert_rules import BY_NAME
from exai_trio.observability.times import rfc3339
from exai_trio.principals import OWNER
from exai_trio.storage.sqlite.store import SqliteStore
from exai_trio.storage.sqlite.watching.alert_rows import SqliteAlerts
from exai_trio.storage.watching.alert_records import KeptAlerts
from exai_trio.system.clock import unix_now


def main(started: Started) -> int:
    asked, console = started.arguments, Console.of_process(started.environ)
    if asked.action == "silence":
        until = unix_now() + asked.for_s
        trio.run(in_home, started.loaded.config, _silencing(asked.name, until))
        console.say(f"{asked.name} is silenced until {rfc3339(until)}")
        return 0
    kept = trio.run(in_home, started.loaded.config, _kept)
    if asked.json:
        told = [
            attrs.asdict(each) | {"silenced": each.name in kept.silenced} for each in kept.firing
        ]
        console.say_json(told)
    elif kept.firing:
        console.say(columns(_rows(kept), console.width))
    else:
        console.note("exai: no alert fires")
    return 0


def _silencing(name: str, until: float) -> Callable[[SqliteStore], Awaitable[None]]:
    if name not in BY_NAME:
        raise ArgumentError(f"there is no alert {name!r}; there are {', '.join(BY_NAME)}")

    async def silence(store: SqliteStore) -> None:
        await SqliteAlerts(store).silence(name, until, OWNER)

    return silence


async def _kept(store: SqliteStore) -> KeptAlerts:
    return await SqliteAlerts(store).kept(unix_now())


def _rows(kept: KeptAlerts) -> list[tuple[str, ...]]:
    return [
        (
            each.name,
            each.severity,
            f"since {rfc3339(each.since)[:16]}",
            f"silenced until {rfc3339(kept.silenced[each.name])[:16]}"
            if each.name in kept.silenced
            else "-",
            each.text,
        )
        for each in kept.firing
    ]
