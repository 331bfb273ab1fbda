"""What happens in a daemon, as values that its code publishes once. Pure: no I/O."""

from exai_trio import structs


@structs.frozen(kw_only=True)
class CallEnded:
    """A call that was accepted has its outcome: figures, and nothing that a client or a model wrote.

    `project` is the first root; `code` and `category` are empty for an answer; `started_at` is unix seconds, all spans are
    milliseconds: `with_provider_ms` those in which a request was with a provider, `first_chunk_ms` from the acceptance to the first
    piece of a model's text. None is what was not measured: tokens where no model answered, `cost` where no price is known.
    """

    id: str
    correlation_id: str
    session: str
    tool: str
    principal: str
    project: str
    provider: str
    model: str
    code: str
    category: str
    attempt: int
    started_at: float
    duration_ms: float
    permit_wait_ms: float
    provider_wait_ms: float
    with_provider_ms: float
    first_chunk_ms: float | None
    requests: int
    input_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    cost: float | None
    currency: str
