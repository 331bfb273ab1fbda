"""The MCP server's lines on their way to standard output."""

from exai_trio import structs
from exai_trio.mcp.jsonrpc import Id
from exai_trio.transport.stdio import LineWriter


@structs.define(eq=False)
class StdioSink:
    """Progress never follows the answer, nor is it in one write with it; a client that does not read would only hear it late, and
    is not told at all. `written` counts bytes of answers; whoever looks at it may begin anew."""

    lines: LineWriter
    written: int = 0

    def put(self, line: bytes, request: Id | None = None, *, progress: bool = False) -> None:
        if progress:
            if not self.lines.busy:
                self.lines.offer(request, line)
            return
        if request is not None:
            self.lines.withdraw(request)
        if line:
            self.written += len(line)
            self.lines.put(line)
