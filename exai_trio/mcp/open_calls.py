"""The table of calls that have no answer yet. Pure: no trio, no clock, no I/O; every method is one step.

A call may have several askers: a client that sends the same call again joins the first. A call that nobody asks for
any more leaves the table, but counts as running at the daemon until the daemon has said how it ended.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Final, cast

import attrs
import msgspec

from exai_trio import structs
from exai_trio.mcp.jsonrpc import Id
from exai_trio.mcp.params import Call
from exai_trio.mcp.versions import Dialect
from exai_trio.wire.messages import CallTool

CALL: Final = "tools/call"


@structs.define(eq=False)
class Asker:
    """One JSON-RPC request that waits. `deadline` and `began` are on the process's own clock, in seconds."""

    id: Id
    dialect: Dialect
    token: Id | None
    deadline: float
    began: float = 0.0
    method: str = CALL
    progress: float = 0.0

    def rising(self, value: float) -> float:
        """A progress value above every one before it."""
        self.progress = value if value > self.progress else round(self.progress + 0.001, 3)
        return self.progress


@structs.define(eq=False)
class Open:
    """A call without an answer. `sent` counts how often it went to a daemon in this shim's life."""

    message: CallTool
    arguments: msgspec.Raw
    sent: int = 0
    accepted: bool = False
    told_away: float = float("-inf")
    silent: int = 0  # seconds for which its askers have heard nothing
    askers: dict[Id, Asker] = attrs.field(factory=dict[Id, Asker])

    @property
    def key(self) -> str:
        return str(self.message.request_id)

    @property
    def whether_ran(self) -> str:
        """For a person: what is known of its work, now that its answer will not come."""
        if self.sent == 0:
            return "The call did not run: no daemon could be reached. `exai doctor` says more."
        if self.accepted:
            return "The daemon was told to cancel it."
        return "It is not known whether the call ran."

    def is_same(self, call: Call) -> bool:
        same = bytes(self.arguments) == bytes(call.arguments)
        return same and self.message.name == call.name

    @property
    def size(self) -> int:
        return memoryview(self.arguments).nbytes


def opened(call: Call, key: str, handle_s: float | None) -> Open:
    """The call as it goes to the daemon; its arguments are raw JSON, carried on and never read here."""
    message = CallTool(
        request_id=key,
        name=call.name,
        arguments=cast("dict[str, Any]", call.arguments),
        handle_after_s=handle_s,
        trace=call.trace,
    )
    return Open(message, call.arguments)


@structs.define(eq=False)
class Pending:
    """Who waits for what, what is still to be sent, and what the daemon runs for us."""

    _asked: dict[Id, Open] = attrs.field(factory=dict[Id, Open])
    _open: OrderedDict[str, Open] = attrs.field(factory=OrderedDict[str, Open])
    _unsent: OrderedDict[str, Open] = attrs.field(factory=OrderedDict[str, Open])
    _running: dict[str, bool] = attrs.field(factory=dict[str, bool])  # request id → was it accepted
    _to_cancel: dict[str, bool] = attrs.field(
        factory=dict[str, bool]
    )  # request id → was it sent on this connection
    bytes_held: int = 0

    def __len__(self) -> int:
        return len(self._asked)

    @property
    def has_unsent(self) -> bool:
        return bool(self._unsent)

    def asks(self, id_: Id) -> bool:
        return id_ in self._asked

    def get(self, key: object) -> Open | None:
        return self._open.get(str(key))

    def calls(self) -> Iterator[Open]:
        return iter(self._open.values())

    def add(self, call: Open, asker: Asker) -> None:
        """A new call, to be sent."""
        self._open[call.key] = self._unsent[call.key] = call
        self.bytes_held += call.size
        self.join(call, asker)

    def join(self, call: Open, asker: Asker) -> None:
        call.askers[asker.id] = asker
        self._asked[asker.id] = call

    def accept(self, key: str) -> None:
        """The daemon has the call, also if nobody asks for it any more."""
        if key in self._running:
            self._running[key] = True
        if key in self._open:
            self._open[key].accepted = True

    def withdraw(self, id_: Id) -> Open | None:
        """This asker is gone. Returns its call; a call without askers is forgotten, and cancelled if it runs."""
        call = self._asked.pop(id_, None)
        if call is None:
            return None
        del call.askers[id_]
        if not call.askers:
            self._forget(call)
            if call.key in self._running:
                self._to_cancel[call.key] = False
        return call

    @property
    def runs_any(self) -> bool:
        """The daemon has calls of ours of which it has not said how they ended."""
        return bool(self._running)

    @property
    def is_cancelling(self) -> bool:
        return bool(self._to_cancel)

    def put_back(self, key: object) -> bool:
        """The daemon did not take this call, and another one will: it is to be sent again. False if it is unknown, or was taken."""
        call = self._open.get(str(key))
        if call is None or call.accepted or self._running.pop(call.key, None) is None:
            return False
        call.sent -= 1
        self._unsent[call.key] = call
        return True

    def expire(self, id_: Id) -> Open | None:
        """This asker has been answered without an outcome; what runs may go on."""
        call = self._asked.pop(id_, None)
        if call is not None:
            del call.askers[id_]
            if not call.askers:
                self._forget(call)
        return call

    def settle(self, key: object) -> Open | None:
        """The daemon has said how this call ended. Returns it if somebody still waits."""
        self._running.pop(str(key), None)
        self._to_cancel.pop(str(key), None)
        call = self._open.get(str(key))
        if call is not None:
            self._forget(call)
            for id_ in call.askers:
                del self._asked[id_]
        return call

    def _forget(self, call: Open) -> None:
        self._open.pop(call.key, None)
        self._unsent.pop(call.key, None)
        self.bytes_held -= call.size

    def to_send(self, window: int) -> list[Open]:
        """The next calls that the daemon has room for, oldest first; from now on they count as sent."""
        calls: list[Open] = []
        while self._unsent and len(self._running) < window:
            key, call = self._unsent.popitem(last=False)
            self._running[key] = False
            call.sent += 1
            calls.append(call)
        return calls

    def cancels(self) -> list[str]:
        """The cancels that were not yet sent on this connection; from now on they are."""
        due = [key for key, said in self._to_cancel.items() if not said]
        self._to_cancel.update(dict.fromkeys(due, True))
        return due

    def reconnected(self, *, resumed: bool) -> list[Open]:
        """A new connection. Returns what the daemon may not have, or does not know any more: it is to be sent again.

        What was given up and may never have come there takes no place any more; of a call that is to be cancelled the daemon
        will say how it ended.
        """
        if not resumed:
            self._running.clear()
            self._to_cancel.clear()
        self._running = {
            key: accepted
            for key, accepted in self._running.items()
            if accepted or key in self._to_cancel
        }
        self._to_cancel = dict.fromkeys(self._to_cancel, False)
        again = [call for call in self._open.values() if not (resumed and call.accepted)]
        for call in again:
            self._running.pop(call.key, None)
            call.accepted = False
        self._unsent = OrderedDict((call.key, call) for call in again)
        return again
