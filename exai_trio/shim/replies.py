"""What those who wait are told: outcomes, faults and progress, each as lines in the asker's own dialect. Whom, `bridge` knows."""

from typing import Any

from exai_trio import structs
from exai_trio.mcp import jsonrpc, resources
from exai_trio.mcp.jsonrpc import Id
from exai_trio.mcp.large_results import MAX_ANSWER, Shelf
from exai_trio.mcp.open_calls import CALL, Asker, Open
from exai_trio.mcp.results import failure, success
from exai_trio.transport.stdio import LineWriter
from exai_trio.wire.messages import CallResult, Fault


@structs.frozen(eq=False)
class Replies:
    """Every method puts lines on their way and waits for nothing."""

    lines: LineWriter
    shelf: Shelf

    def outcome(self, call: Open, asker: Asker, outcome: CallResult) -> None:
        if asker.method == CALL:
            self.result(asker.id, success(outcome, asker.dialect), call.key)
        else:
            text = outcome.outputs[0].text
            self.last(asker.id, resources.told(asker.id, asker.method, text, asker.dialect))

    def fault(self, call: Open, asker: Asker, fault: Fault, ran: str | None) -> None:
        if asker.method == CALL:
            self.result(asker.id, failure(call.message.name, fault, asker.dialect, ran), call.key)
        else:
            about = (fault.code, fault.message, asker.dialect)
            self.last(asker.id, resources.missed(asker.id, asker.method, *about))

    def result(self, id_: Id, result: dict[str, Any], call: str = "") -> None:
        """The answer of a tool; one that is too long for a line is told by its beginning."""
        line = jsonrpc.answer(id_, result)
        if len(line) > MAX_ANSWER:
            line = jsonrpc.answer(id_, self.shelf.fitting(result, call))
        self.last(id_, line)

    def last(self, id_: Id, line: bytes) -> None:
        """The answer to a request: no progress of it is said after that, nor in one write with it."""
        self.lines.withdraw(id_)
        self.lines.put(line)

    def progress(self, call: Open, value: float, text: str) -> None:
        """To each asker that wants it, unless a client that does not read would only hear it late."""
        if self.lines.busy:
            return
        call.silent = 0
        for asker in call.askers.values():
            if asker.token is not None:
                params = {
                    "progressToken": asker.token,
                    "progress": asker.rising(value),
                    "message": text,
                }
                self.lines.offer(asker.id, jsonrpc.notice("notifications/progress", params))
