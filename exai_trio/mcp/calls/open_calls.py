"""The table of calls that have no answer yet. Pure: no trio, no clock, no I/O; every method is one step.

A call may have several requesters: a client that sends the same call again joins the first. A call that nobody waits for
any more leaves the table; what becomes of its work, whoever runs it decides.
"""

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
class Requester:
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
class OpenCall:
    """A call without an answer. `sent` counts how often it went to a daemon, `runs` how many have accepted it; `accepted`: one has it,
    and will say how it ended. `repeatable`: the last one that accepted it lets another one run it."""

    message: CallTool
    arguments: msgspec.Raw
    sent: int = 0
    runs: int = 0
    repeatable: bool = False
    accepted: bool = False
    told_away: float = float("-inf")
    silent: int = 0  # seconds for which its requesters have heard nothing
    requesters: dict[Id, Requester] = attrs.field(factory=dict[Id, Requester])

    def __repr__(self) -> str:
        state = "accepted" if self.accepted else f"sent={self.sent}"
        return (
            f"<OpenCall {self.key} {self.message.name} {state} requesters={len(self.requesters)}>"
        )

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


def opened(call: Call, key: str, handle_s: float | None) -> OpenCall:
    """The call as it goes to the daemon; its arguments are raw JSON, carried on and never read here."""
    message = CallTool(
        request_id=key,
        name=call.name,
        arguments=cast("dict[str, Any]", call.arguments),
        handle_after_s=handle_s,
        trace=call.trace,
    )
    return OpenCall(message, call.arguments)


@structs.define(eq=False)
class OpenCalls:
    """Who waits for what: the calls by their key, and the requests by their id."""

    bytes_held: int = 0
    _by_id: dict[Id, OpenCall] = attrs.field(factory=dict[Id, OpenCall])
    _by_key: dict[str, OpenCall] = attrs.field(factory=dict[str, OpenCall])

    def __len__(self) -> int:
        """Requests that wait."""
        return len(self._by_id)

    def __repr__(self) -> str:
        return f"<OpenCalls requests={len(self._by_id)} calls={len(self._by_key)} bytes={self.bytes_held}>"

    def __contains__(self, id_: Id) -> bool:
        return id_ in self._by_id

    def __iter__(self) -> Iterator[OpenCall]:
        """The calls as they are now, oldest first; they may be closed meanwhile."""
        return iter(list(self._by_key.values()))

    def get(self, key: object) -> OpenCall | None:
        return self._by_key.get(str(key))

    def of(self, id_: Id) -> OpenCall | None:
        """The call that this requester waits for."""
        return self._by_id.get(id_)

    def add(self, call: OpenCall, requester: Requester) -> None:
        self._by_key[call.key] = call
        self.bytes_held += call.size
        self.join(call, requester)

    def join(self, call: OpenCall, requester: Requester) -> None:
        call.requesters[requester.id] = requester
        self._by_id[requester.id] = call

    def leave(self, id_: Id) -> OpenCall | None:
        """This requester waits no more. Returns its call; one without requesters is forgotten."""
        call = self._by_id.pop(id_, None)
        if call is not None:
            del call.requesters[id_]
            if not call.requesters:
                self._forget(call)
        return call

    def close(self, key: object) -> OpenCall | None:
        """The call has ended. Returns it, with all who have waited for it, if anybody still did."""
        call = self._by_key.get(str(key))
        if call is not None:
            self._forget(call)
            for id_ in call.requesters:
                del self._by_id[id_]
        return call

    def _forget(self, call: OpenCall) -> None:
        del self._by_key[call.key]
        self.bytes_held -= call.size
