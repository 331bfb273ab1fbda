"""How much one session may hold, and what is said when that is not enough. Pure: no trio, no clock, no I/O."""

from exai_trio import structs
from exai_trio.errors import OverCapacityError


@structs.frozen(kw_only=True)
class Bounds:
    """How much one session may hold: calls at once; unacknowledged frames; outcomes kept after their acknowledgement.

    Together at most `unacked_bytes` + `kept_bytes` and the calls that run.
    """

    running: int = 8
    # what a session may hold, also in tests without settings
    unacked_bytes: int = 16 * 2**20
    unacked_frames: int = 20_000
    kept_outcomes: int = 256
    # what a session may hold, also in tests without settings
    kept_bytes: int = 8 * 2**20


def over_capacity(
    bounds: Bounds, running: int, unacked_frames: int, unacked_bytes: int
) -> OverCapacityError | None:
    """Why no new call can be started, whatever it is."""
    if running >= bounds.running:
        return OverCapacityError(
            f"this session already runs {running} calls, the most allowed"
            " (EXAI_WS_SESSION_MAX_INFLIGHT); wait for one to finish",
            retry_after_s=1.0,  # audit: duration, because it is a hint to the client, who decides
            details={"limit": "session_max_inflight", "max": bounds.running},
        )
    if unacked_bytes > bounds.unacked_bytes or unacked_frames > bounds.unacked_frames:
        return OverCapacityError(
            "too many answers wait to be acknowledged; send ack for what has arrived",
            retry_after_s=1.0,  # audit: duration, because it is a hint to the client, who decides
            details={"limit": "unacknowledged", "frames": unacked_frames},
        )
    return None
