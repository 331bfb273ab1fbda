"""What those who wait are told: outcomes, faults and progress, each in the requester's own version of MCP.

Whom, `bridge` knows.
"""

from typing import Any

from exai_trio import structs
from exai_trio.mcp import jsonrpc, resources
from exai_trio.mcp.jsonrpc import Id
from exai_trio.mcp.sink import Sink
from exai_trio.wire.messages import CallResult, Fault

from .large_results import MAX_ANSWER, LargeResults
from .open_calls import CALL, OpenCall, Requester
from .results import failure, success


@structs.frozen(eq=False)
class Replies:
    """Every method puts lines on their way and waits for nothing."""

    sink: Sink
    large: LargeResults

    def outcome(self, call: OpenCall, to: Requester, outcome: CallResult) -> None:
        if to.method == CALL:
            self.result(to.id, success(outcome, to.dialect), call.key)
        else:
            text = outcome.outputs[0].text
            self.sink.put(resources.told(to.id, to.method, text, to.dialect), to.id)

    def fault(self, call: OpenCall, to: Requester, fault: Fault, ran: str | None) -> None:
        if to.method == CALL:
            self.result(to.id, failure(call.message.name, fault, to.dialect, ran), call.key)
        else:
            about = (fault.code, fault.message, to.dialect)
            self.sink.put(resources.missed(to.id, to.method, *about), to.id)

    def result(self, id_: Id, result: dict[str, Any], call: str = "") -> None:
        """The answer of a tool; one that is too long for a line is told by its beginning."""
        line = jsonrpc.answer(id_, result)
        if len(line) > MAX_ANSWER:
            line = jsonrpc.answer(id_, self.large.fitting(result, call))
        self.sink.put(line, id_)

    def progress(self, call: OpenCall, value: float, text: str) -> None:
        """To each requester that wants it."""
        call.silent = 0
        for to in call.requesters.values():
            if to.token is not None:
                about = {"progressToken": to.token, "progress": to.rising(value), "message": text}
                line = jsonrpc.notice("notifications/progress", about)
                self.sink.put(line, to.id, progress=True)
