"""Requests that are answered at once and by nobody's work: the tool list, the daemon's health, another token."""

from exai_trio import structs
from exai_trio.errors import ExaiError, OverCapacityError, StorageError
from exai_trio.observability.times import rfc3339
from exai_trio.tools.registry import Registry
from exai_trio.wire.messages import (
    DaemonMessage,
    ErrorReply,
    Health,
    HealthReport,
    ListTools,
    RotateToken,
    TokenRotated,
    ToolList,
)

from ..delivery.wire_errors import as_fault
from ..health.report import Report
from .auth import Authentication
from .identity import Identity

Request = ListTools | Health


@structs.frozen(eq=False)
class Requests:
    """Answers them, the same for all connections."""

    tools: Registry
    report: Report
    auth: Authentication

    def answer(self, request: Request, objection: OverCapacityError | None) -> DaemonMessage:
        """The answer; a refusal if there is an objection."""
        if objection is not None:
            error = as_fault(objection, "refused")
            return ErrorReply(request_id=request.request_id, error=error)
        match request:
            case ListTools():
                return ToolList(tools=self.tools.listing(), request_id=request.request_id)
            case Health():
                return self._health(request)

    def _health(self, request: Health) -> HealthReport:
        now = rfc3339(self.report.context.clock.now())
        return HealthReport(health=self.report.health(), t=now, request_id=request.request_id)

    async def rotate(
        self, request: RotateToken, by: Identity, objection: ExaiError | None
    ) -> DaemonMessage:
        """The answer, once the next daemon knows of it too; a refusal if there is an objection. Cancelled, it may be done or not."""
        if objection is not None:
            error = as_fault(objection, "refused")
            return ErrorReply(request_id=request.request_id, error=error)
        try:
            await self.auth.tokens.rotate(request.old, request.new, by)
        except ExaiError as fault:
            error = as_fault(fault, "rotate_token")
        except OSError as fault:
            refused = StorageError(f"the token was not rotated: {fault.strerror or fault}")
            error = as_fault(refused, "rotate_token")
        else:
            self.auth.note_rotation(by, "done")
            return TokenRotated(ok=True, request_id=request.request_id)
        self.auth.note_rotation(by, error.code)
        return TokenRotated(ok=False, error=error, request_id=request.request_id)
