"""The two files that have a line for each ended call: its figures, and what was asked."""

from collections.abc import Callable, Mapping

import msgspec

from exai_trio import structs
from exai_trio.config import Config

from .event_hub import Takes
from .events import CallEnded
from .line_file import LineFile
from .owned_lines import written
from .toolcalls import ToolCallLine, toolcalls_log


def _encoded(ended: tuple[float, CallEnded]) -> bytes:
    """`t` unix seconds, `lat` seconds from acceptance to outcome, `sess` session id, `prov` provider or empty, `principal` as log
    lines name it."""
    at, call = ended
    line = {
        "t": round(at, 3),
        "op": "call_tool",
        "lat": round(call.duration_ms / 1000, 6),
        "sess": call.session,
        "principal": written(call.principal),
        "name": call.tool,
        "prov": call.provider,
        "ok": not call.code,
        "code": call.code,
    }
    return msgspec.json.encode(line)


@structs.frozen(eq=False)
class CallFiles:
    """`now` gives unix seconds."""

    now: Callable[[], float]
    metrics: LineFile[tuple[float, CallEnded]]
    toolcalls: LineFile[ToolCallLine]

    @classmethod
    def of(cls, config: Config, now: Callable[[], float]) -> "CallFiles":
        metrics = LineFile(config.logs / "ws_daemon.metrics.jsonl", encode=_encoded)
        return cls(now, metrics, toolcalls_log(config))

    def takes(self) -> Takes:
        """What becomes of events here."""
        return {CallEnded: self.note}

    def note(self, call: CallEnded) -> None:
        """Its line is made when it is written."""
        self.metrics.add((self.now(), call))

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
