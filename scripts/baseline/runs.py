"""Runs of a tool: made ready, called, and seen from all sides. What becomes of them is said by `judge`."""

import re
import secrets
from pathlib import Path

import attrs
import trio

from .client import Client, Lost
from .definitions import filled
from .judge import Seen, judged
from .served import ProviderLog, Served, known_calls

_READY_S = 30.0


@attrs.define(eq=False)
class Bench:
    """One connection to one daemon, with the log of its provider; `folder` is where files for the tools lie."""

    served: Served
    client: Client
    log: ProviderLog
    folder: Path
    live: bool = False
    seen: list[Seen] = attrs.field(factory=list)
    calls: list[tuple[str, str, str]] = attrs.field(factory=list)
    number: int = 0

    async def run(self, definition, *, counts=True):
        """One run. Raises Lost."""
        holes = await self._ready(definition)
        await self.log.news()
        arguments = filled(definition.arguments, holes)
        reply = await self.client.call(
            definition.name, arguments, definition.limit, stream=definition.asks_model
        )
        requests = await self.log.news()
        is_written = None if self.served.home else await self._is_in_journal(reply)
        await self.client.acknowledge()
        seen = Seen(
            definition=definition,
            holes=holes,
            reply=reply,
            requests=requests,
            is_written=is_written,
            is_live=self.live,
        )
        if counts:
            self.seen.append(seen)
            self.calls.append((self.client.session_id, reply.request_id, reply.call_id))
        return seen

    def cost(self):
        """What the runs so far have cost, as far as the daemon said."""
        usages = [(seen.reply.frame or {}).get("usage") or {} for seen in self.seen]
        return sum(usage.get("cost_usd") or 0.0 for usage in usages)

    async def judged(self):
        """All runs that count, in order, with what the daemon has written down of them."""
        rows = await known_calls(self.served, self.calls)
        return [judged(self._with_row(seen, rows)) for seen in self.seen]

    def _with_row(self, seen, rows):
        if rows is None:
            return seen
        row = rows.get(seen.reply.call_id)
        return attrs.evolve(seen, row=row, is_written=row is not None)

    async def _ready(self, definition):
        """What fills the holes of this run: nothing of it was ever sent before."""
        self.number += 1
        marker = f"m{secrets.token_hex(5)}"
        path = self.folder / f"{marker}.py"
        await trio.Path(path).write_text(f"# {marker}\ndef {marker}():\n    return {self.number}\n")
        text = path.with_suffix(".txt")
        await trio.Path(text).write_text(f"{marker} stands in this file.\n")
        holes = {
            "marker": marker,
            "number": self.number % 1000,
            "lines": 10 + self.number % 190,
            "file": str(path),
            "text_file": str(text),
            "folder": str(self.folder),
        }
        for before in definition.before:
            reply = await self.client.call(before.tool, filled(before.arguments, holes), _READY_S)
            holes |= {"call_id": reply.call_id} | _taken(before, reply)
        return holes

    async def _is_in_journal(self, reply):
        """Of a daemon whose files are not ours to read: it tells the same outcome again, by its id."""
        if not (reply.frame or {}).get("ok"):
            return None
        again = await self.client.call("result", {"call_id": reply.call_id, "wait_s": 5}, _READY_S)
        return _text(again) == _text(reply)


def _text(reply):
    outputs = (reply.frame or {}).get("outputs") or [{}]
    return outputs[0].get("text", "")


def _taken(before, reply):
    text = _text(reply)
    found = {name: re.search(pattern, text) for name, pattern in before.take.items()}
    lost = [name for name, match in found.items() if match is None]
    if lost:
        raise NotReady(
            f"{before.tool} gave no {', '.join(lost)}: {(reply.frame or {}).get('error') or text[:200]}"
        )
    return {name: match[1] for name, match in found.items()}


class NotReady(Exception):
    """A call that makes ready for a run has failed."""


__all__ = ["Bench", "Lost", "NotReady"]
