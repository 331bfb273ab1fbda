"""`exai threads`: the stored conversations, listed, read, named, exported, copied and deleted.

It opens the store itself, whether or not a daemon runs.
"""

import uuid
from argparse import Namespace
from collections.abc import Iterator
from typing import Any

import trio

from exai_trio.commands.console import Console, columns
from exai_trio.commands.invocation import Started
from exai_trio.commands.thread_stores import Changes, Stored, open_stored
from exai_trio.config import Config
from exai_trio.errors import ArgumentError, ExaiError, NotFoundError
from exai_trio.observability.times import rfc3339
from exai_trio.storage.base import Conversation, ConversationStore, Summary, Threads, Turn
from exai_trio.system.clock import unix_now

_HOUR_S = 3600
_OPENING = 60  # characters of the first question in a list
_SHOWN_ID = 8


def main(started: Started) -> int:
    return trio.run(
        run, started.loaded.config, Console.of_process(started.environ), started.arguments
    )


async def run(config: Config, console: Console, asked: Namespace) -> int:
    """The exit code. Raises ExaiError."""
    fault: ExaiError | None = None
    try:
        async with open_stored(config) as stored:
            try:
                await _act(stored, asked, console, config)
            except ExaiError as raised:
                fault = raised  # the store's own nursery would wrap it
    except NotFoundError as nothing:
        console.note(f"exai: {nothing.message}")
        return _nothing(asked, console)
    if fault is not None:
        raise fault
    return 0


def _nothing(asked: Namespace, console: Console) -> int:
    if asked.action != "list":
        return 1
    if asked.json:
        console.say_json([])
    return 0


async def _act(stored: Stored, asked: Namespace, console: Console, config: Config) -> None:
    now, threads = unix_now(), stored.threads
    if asked.action == "list":
        _list((await threads.recent(now))[::-1], console, as_json=asked.json)
        return
    continuation_id = await _the_one(threads, asked.thread, now)
    match asked.action:
        case "show":
            console.tell(
                "\n".join(_lines(await _loaded(stored.conversations, continuation_id, now)))
            )
        case "export":
            console.say_json(exported(await _loaded(stored.conversations, continuation_id, now)))
        case "name":
            await _name(stored.changes, continuation_id, asked.name, console)
        case "fork":
            new_id = str(uuid.uuid4())
            lasts_s = config.conversation_timeout_hours * _HOUR_S
            await stored.changes.fork(continuation_id, new_id, now, now + lasts_s)
            console.say(new_id)
        case _:
            await stored.changes.delete(continuation_id, now)
            console.say(f"deleted {continuation_id}")


async def _the_one(threads: Threads, wanted: str, now: float) -> str:
    """Raises: NotFoundError, ArgumentError if it could be several."""
    found = await threads.find(wanted, now)
    if len(found) == 0:
        raise NotFoundError(f"no stored conversation has the id or name {wanted!r}")
    if len(found) > 1:
        raise ArgumentError(f"{wanted!r} begins {len(found)} ids: {', '.join(found[:5])}")
    return found[0]


async def _loaded(store: ConversationStore, continuation_id: str, now: float) -> Conversation:
    found = await store.load(continuation_id, now)
    if found is None:
        raise NotFoundError(f"conversation {continuation_id} has just ended")
    return found


async def _name(threads: Changes, continuation_id: str, name: str, console: Console) -> None:
    if not await threads.name(continuation_id, name.strip(), unix_now()):
        raise ArgumentError(f"another conversation is called {name.strip()!r}")
    console.say(f"{continuation_id} is called {name.strip() or 'nothing'}")


def _list(found: tuple[Summary, ...], console: Console, *, as_json: bool) -> None:
    if as_json:
        console.say_json([_summary(each) for each in found])
    elif found:
        console.say(columns((_row(each) for each in found), console.width))
    else:
        console.note("exai: no conversations are stored")


def _row(found: Summary) -> tuple[str, ...]:
    opening = " ".join(found.opening.split())[:_OPENING]
    return (
        found.id[:_SHOWN_ID],
        found.name or "-",
        rfc3339(found.created_at)[:16],
        f"{found.turns} turns",
        found.model or found.tool or "-",
        opening or "-",
    )


def _summary(found: Summary) -> dict[str, Any]:
    return {
        "id": found.id,
        "name": found.name,
        "created_at": rfc3339(found.created_at),
        "expires_at": rfc3339(found.expires_at),
        "last_at": rfc3339(found.last_at),
        "turns": found.turns,
        "model": found.model,
        "tool": found.tool,
        "opening": found.opening,
    }


def _lines(conversation: Conversation) -> Iterator[str]:
    yield f"conversation {conversation.id}, until {rfc3339(conversation.expires_at)}"
    for turn in conversation.turns:
        yield ""
        yield f"── {_heading(turn)}"
        yield turn.text
        yield from (f"[file {path}]" for path in turn.extra.get("files", ()))


def _heading(turn: Turn) -> str:
    who = turn.model or turn.role if turn.role == "assistant" else turn.role
    usage = turn.extra.get("usage", {})
    tokens = (
        f", {usage.get('input_tokens', 0):,} + {usage.get('output_tokens', 0):,} tokens"
        if usage
        else ""
    )
    return f"{who} ({turn.tool}, {rfc3339(turn.at)}{tokens})"


def exported(conversation: Conversation) -> dict[str, Any]:
    """Everything that is stored of it, as plain data."""
    return {
        "id": conversation.id,
        "created_at": rfc3339(conversation.created_at),
        "expires_at": rfc3339(conversation.expires_at),
        "turns": [
            {
                "role": turn.role,
                "text": turn.text,
                "tool": turn.tool,
                "model": turn.model,
                "provider": turn.provider,
                "at": rfc3339(turn.at),
                **turn.extra,
            }
            for turn in conversation.turns
        ],
    }
