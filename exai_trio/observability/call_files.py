"""The two files that have a line for each ended call: its figures, and what was asked."""

from collections.abc import Mapping

import msgspec

from exai_trio import structs
from exai_trio.config import Config

from .event_hub import Takes
from .events import CallEnded
from .line_file import LineFile
from .owned_lines import written
from .toolcalls import ToolCallLine, toolcalls_log


class _Line(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={"session": "sess", "provider": "prov", "seconds": "lat"},
):
    """`t` unix seconds, `lat` seconds from acceptance to outcome, `sess` session id, `prov` provider or empty, `principal` as log
    lines name it."""

    t: float
    op: str
    seconds: float
    session: str
    principal: str
    name: str
    provider: str
    ok: bool
    code: str


def _encoded(call: CallEnded) -> bytes:
    line = _Line(
        t=round(call.started_at * 1000 + call.duration_ms) / 1000,  # as `milliseconds` rounds
        op="call_tool",
        seconds=round(call.duration_ms * 1000) / 1_000_000,
        session=call.session,
        principal=written(call.principal),
        name=call.tool,
        provider=call.provider,
        ok=not call.code,
        code=call.code,
    )
    return msgspec.json.encode(line)


@structs.frozen(eq=False)
class CallFiles:
    metrics: LineFile[CallEnded]
    toolcalls: LineFile[ToolCallLine]

    @classmethod
    def of(cls, config: Config) -> "CallFiles":
        metrics = LineFile(config.logs / "ws_daemon.metrics.jsonl", encode=_encoded)
        return cls(metrics, toolcalls_log(config))

    def takes(self) -> Takes:
        """What becomes of events here: a line is made when it is written."""
        return {CallEnded: self.metrics.add}

    def dropped(self) -> Mapping[tuple[str, ...], float]:
        """Lines that had no room, by the sink's name."""
        return {
            ("metrics file",): self.metrics.dropped,
            ("toolcalls file",): self.toolcalls.dropped,
        }

    def flush(self) -> None:
        """Blocks on the disk: call it in a thread. Raises OSError, and then keeps the lines."""
        self.metrics.flush()
        self.toolcalls.flush()
