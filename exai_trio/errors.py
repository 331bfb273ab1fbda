"""Every fault EXAI can report, as one tree. Pure: no trio, no clock, no I/O.

ExaiError
├─ the caller's: InvalidRequestError · ArgumentError · UnauthorizedError · NotFoundError · ToolNotFoundError · ProtocolError
├─ ours:         ToolFailedError · OverCapacityError (TooLargeError) · CallTimeoutError · CallCancelled · CallInterrupted
│                ServiceUnavailableError (NotConfiguredError) · StorageError · PayloadDamagedError · InternalError
└─ the world's:  ProviderError ─ ProviderAuthError · ProviderQuotaError · ProviderBusyError · ProviderTimeoutError
                                 ProviderRefusedError · PromptTooLongError · BadAnswerError · ProviderNetworkError

Each class has `code` and `category` (both from the wire protocol) and says whether trying again may help (`retryable`).
"""

from typing import Any, ClassVar

import attrs

from exai_trio import structs


@structs.define(kw_only=True, eq=False, str=False)
class ExaiError(Exception):
    """A fault with a message that says what to do next.

    `retry_after_s` is seconds from now, or None if unknown. `details` is plain JSON data for programs.
    """

    code: ClassVar[str] = "INTERNAL_ERROR"
    category: ClassVar[str] = "server"
    retryable: ClassVar[bool] = False

    message: str = attrs.field(kw_only=False)
    retry_after_s: float | None = None
    details: dict[str, Any] = attrs.field(factory=dict[str, Any])

    def __str__(self) -> str:
        return self.message


class InvalidRequestError(ExaiError):
    """The frame is no well-formed request."""

    code = "INVALID_REQUEST"
    category = "client"


class ArgumentError(ExaiError):
    """A tool argument is missing, unknown, of the wrong type or out of range; `details.field` names it."""

    code = "VALIDATION_ERROR"
    category = "validation"


class UnauthorizedError(ExaiError):
    """No token, or a wrong one."""

    code = "UNAUTHORIZED"
    category = "authentication"


class NotFoundError(ExaiError):
    """A model, conversation or file that the caller named does not exist."""

    code = "NOT_FOUND"
    category = "client"


class ToolNotFoundError(ExaiError):
    """No tool of that name is offered."""

    code = "TOOL_NOT_FOUND"
    category = "client"


class ProtocolError(ExaiError):
    """The peer broke the wire protocol."""

    code = "PROTOCOL_ERROR"
    category = "client"


class ToolFailedError(ExaiError):
    """The tool ran and could not do its work."""

    code = "TOOL_EXECUTION_ERROR"
    category = "tool"


class OverCapacityError(ExaiError):
    """Too much at once; nothing was started."""

    code = "OVER_CAPACITY"
    category = "capacity"
    retryable = True


class TooLargeError(OverCapacityError):
    """More than is ever taken of one request: the same will be refused again."""

    retryable = False


class CallTimeoutError(ExaiError):
    """The call's own deadline passed."""

    code = "TIMEOUT"
    category = "timeout"
    retryable = True


class CallCancelled(ExaiError):
    """The client cancelled the call, or its session ended."""

    code = "CANCELLED"
    category = "client"


class CallInterrupted(ExaiError):
    """The daemon stopped while the call ran; the provider may already have done the work."""

    code = "INTERRUPTED"
    category = "server"
    retryable = True


class ServiceUnavailableError(ExaiError):
    """Something the call needs is not configured, or not up."""

    code = "SERVICE_UNAVAILABLE"
    category = "server"
    retryable = True


class NotConfiguredError(ServiceUnavailableError):
    """Something is missing that somebody must set up: trying again does not help."""

    retryable = False


class StorageError(ExaiError):
    """The store could not be read or written."""

    code = "SERVICE_UNAVAILABLE"
    category = "storage"
    retryable = True


class PayloadDamagedError(ExaiError):
    """What is stored of a large result is not what was put there; the call has run."""

    code = "PAYLOAD_DAMAGED"
    category = "storage"


class InternalError(ExaiError):
    """A fault of ours; the logs know it by the correlation id."""


class ProviderError(ExaiError):
    """A provider answered with a failure, or not at all."""

    code = "PROVIDER_ERROR"
    category = "provider"


class ProviderAuthError(ProviderError):
    """The provider does not accept the key."""


class ProviderQuotaError(ProviderError):
    """No balance, quota used up, plan expired: trying again does not help."""


class ProviderBusyError(ProviderError):
    """Rate limit, overload or a 5xx: trying again may help, after `retry_after_s` if given."""

    retryable = True


class ProviderRefusedError(ProviderError):
    """Policy, permission or bad parameters: the same request will be refused again."""


class PromptTooLongError(ProviderError):
    """The prompt does not fit the model's context."""


class BadAnswerError(ProviderError):
    """An answer that is cut, empty, broken, or no answer at all."""

    retryable = True


class ProviderNetworkError(ProviderError):
    """The connection failed or broke."""

    category = "network"
    retryable = True


class ProviderTimeoutError(ProviderError):
    """One of the request's limits passed; `details.limit` names which (connect, first_byte, idle, stream)."""

    code = "TIMEOUT"
    category = "timeout"
    retryable = True
