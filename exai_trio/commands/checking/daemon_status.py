"""`exai status`: the health of the daemon as it reports it itself."""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

import msgspec
import trio

from exai_trio.commands.checking import shared_daemons
from exai_trio.commands.checking.status_summary import summary
from exai_trio.commands.client import Dial, open_client
from exai_trio.commands.console import Console, columns
from exai_trio.commands.invocation import Started
from exai_trio.config import Config
from exai_trio.errors import ProtocolError
from exai_trio.transport.websocket import connect
from exai_trio.wire.messages import ErrorReply, Health, HealthReport

Shape = TypeVar("Shape")


def main(started: Started) -> int:
    arguments = started.arguments
    if arguments.daemons:
        of_all = partial(shared_daemons.run, as_json=arguments.json)
        return trio.run(of_all, started.loaded.config, Console.of_process(started.environ))
    running = partial(run, as_json=arguments.json, everything=arguments.all)
    return trio.run(running, started.loaded.config, Console.of_process(started.environ))


async def run(
    config: Config,
    console: Console,
    *,
    as_json: bool,
    everything: bool = False,
    dial: Dial = connect,
) -> int:
    """The exit code. Raises Unreachable, PeerGone or ExaiError."""
    report = await health(config, dial=dial)
    if as_json:
        console.say_json({**report.health, "t": report.t})
    elif everything:
        console.tell("\n".join([f"daemon at {config.ws_url}", *_lines(report.health)]))
    else:
        console.say(columns(summary(config.ws_url, report.health), console.width))
    return 0 if report.ok else 1


async def health(config: Config, *, dial: Dial = connect) -> HealthReport:
    """How the daemon says that it is. Raises PeerGone or ProtocolError; cancelling closes the connection."""
    async with open_client(config, dial=dial) as client:
        await client.send(Health())
        while not isinstance(answer := await client.receive(), HealthReport):
            if isinstance(answer, ErrorReply):
                raise ProtocolError(f"the daemon does not say how it is: {answer.error.message}")
    return answer


def _lines(facts: Mapping[str, Any], depth: int = 1) -> Iterator[str]:
    indent = "  " * depth
    for key, value in facts.items():
        parts = _parts(value)
        if parts is None:
            yield f"{indent}{key}: {_flat(value)}"
            continue
        yield f"{indent}{key}:"
        for part in parts:
            lines = list(_lines(part, depth + 1))
            if isinstance(value, list):
                lines[0] = f"{indent}- {lines[0].strip()}"
            yield from lines


def _parts(value: object) -> list[dict[str, Any]] | None:
    """The objects that the value consists of, or None if it is no object and no list of such."""
    one = _as(value, dict[str, Any])
    parts = _as(value, list[dict[str, Any]]) if one is None else [one]
    return parts if parts and all(parts) else None


def _flat(value: object) -> str:
    parts = _as(value, list[Any])
    if parts is not None:
        return ", ".join(map(_flat, parts)) or "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _as(value: object, kind: type[Shape]) -> Shape | None:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        # audit: empty-handler, because None is the answer: not of this shape
        return None
