"""The two files that have a line for each ended call: its figures, and what was asked."""

from collections.abc import Callable, Mapping

from exai_trio import structs
from exai_trio.config import Config

from .event_hub import Takes
from .events import CallEnded
from .line_file import LineFile
from .owned_lines import written
from .toolcalls import ToolCallLine, toolcalls_log


@structs.frozen(kw_only=True)
class CallLine:
    """`t` unix seconds, `lat` seconds from acceptance to outcome, `sess` session id, `prov` provider or empty, `principal` as log
    lines name it."""

    t: float
    op: str
    lat: float
    sess: str
    principal: str
    name: str
    prov: str
    ok: bool
    code: str


@structs.frozen(eq=False)
class CallFiles:
    """`now` gives unix seconds."""

    now: Callable[[], float]
    metrics: LineFile[CallLine]
    toolcalls: LineFile[ToolCallLine]

    @classmethod
    def of(cls, config: Config, now: Callable[[], float]) -> "CallFiles":
        return cls(now, LineFile(config.logs / "ws_daemon.metrics.jsonl"), toolcalls_log(config))

    def takes(self) -> Takes:
        """What becomes of events here."""
        return {CallEnded: self.note}

    def note(self, call: CallEnded) -> None:
        self.metrics.add_made(lambda: self._line_of(call))

    def _line_of(self, call: CallEnded) -> CallLine:
        return CallLine(
            t=round(self.now(), 3),
            op="call_tool",
            lat=round(call.duration_ms / 1000, 6),
            sess=call.session,
            principal=written(call.principal),
            name=call.tool,
            prov=call.provider,
            ok=not call.code,
            code=call.code,
        )

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
