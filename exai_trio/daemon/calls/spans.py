"""Where the time of a call went, and what its requests at providers cost. Pure."""

from collections.abc import Iterable
from typing import Final

import attrs

from exai_trio import structs
from exai_trio.observability.events import RequestEnded, Span
from exai_trio.observability.times import milliseconds

SEVERAL: Final = "several"
MOST_SPANS: Final = 100  # of one call


@structs.frozen(kw_only=True)
class Spent:
    """What requests took. Tokens are None if no provider counted any; `cost` is in `currency`, None where a price or a count is not
    known, or several currencies are mixed."""

    model: str = ""
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost: float | None = None
    currency: str = ""


NOTHING: Final = Spent()


@structs.define
class Waits:
    """Seconds that a call spent waiting for the journal (None: it was not asked) and for permits, and the provider whose permit it was.
    `first_chunk` is when text came first, after the beginning; `requests` are those at providers, each with the time, after the
    beginning, at which it ended; `spans` are the waits for others than providers."""

    journal: float | None = None
    permit: float = 0.0
    provider: float = 0.0
    provider_name: str = ""
    first_chunk: float | None = None
    requests: list[tuple[RequestEnded, float]] = attrs.field(
        factory=list[tuple[RequestEnded, float]]
    )
    spans: list[Span] = attrs.field(factory=list[Span])

    def waited(self, name: str, began: float, ended: float) -> None:
        """Seconds after the call's beginning; what took no time is no wait."""
        if ended > began:
            self.spans.append(_span(name, began, ended))

    @property
    def with_provider(self) -> float:
        """Seconds in which at least one request was with a provider."""
        if not self.requests:
            return 0.0
        return covered((ended - request.duration_s, ended) for request, ended in self.requests)

    @property
    def spent(self) -> Spent:
        """By all requests together."""
        return added([request for request, _ in self.requests]) if self.requests else NOTHING

    def all_spans(self) -> tuple[Span, ...]:
        """In the order of their beginnings; the first of them, where there are too many."""
        if not self.requests:
            return tuple(self.spans[:MOST_SPANS])
        models = {request.model for request, _ in self.requests}
        told = [*self.spans]
        for request, ended in self.requests:
            told += spans_of(request, ended, request.model if len(models) > 1 else "")
        return tuple(sorted(told, key=lambda span: span.began_ms)[:MOST_SPANS])


def spans_of(request: RequestEnded, ended: float, branch: str) -> list[Span]:
    """What was waited for, one after the other: a permit, the connection, the first piece, thinking, text."""
    asked = ended - request.duration_s
    found = [_span("provider permit", asked - request.permit_wait_s, asked, branch)]
    marks = [request.connected_s, request.first_chunk_s, request.first_text_s]
    times = [asked, *(asked + after for after in marks if after is not None), ended]
    # what was never reached was waited for until the end
    names = [name for name, after in zip(_WAITS, marks, strict=False) if after is not None]
    names.append(
        next((n for n, after in zip(_WAITS, marks, strict=False) if after is None), _WAITS[-1])
    )
    found += [
        _span(name, began, until, branch)
        for name, began, until in zip(names, times, times[1:], strict=False)
    ]
    return [span for span in found if span.ended_ms > span.began_ms]


_WAITS: Final = ("connecting", "first chunk", "thinking", "streaming")


def _span(name: str, began: float, ended: float, branch: str = "") -> Span:
    return Span(
        name=name,
        began_ms=milliseconds(began),
        ended_ms=milliseconds(ended),
        branch=branch,
    )


def added(requests: list[RequestEnded]) -> Spent:
    """The sum, of those that were counted."""
    models = {one.model for one in requests if one.model}
    model = models.pop() if len(models) == 1 else SEVERAL if models else ""
    counted = [one for one in requests if one.input_tokens is not None]
    if not counted:
        return Spent(model=model)
    costs = [one.cost for one in counted if one.cost is not None]
    currencies = {one.currency for one in counted}
    uncounted = any(one.first_chunk_s is not None for one in requests if one not in counted)
    known = len(costs) == len(counted) and len(currencies) == 1 and not uncounted
    return Spent(
        model=model,
        input_tokens=sum(one.input_tokens or 0 for one in counted),
        cached_tokens=sum(one.cached_tokens or 0 for one in counted),
        output_tokens=sum(one.output_tokens or 0 for one in counted),
        reasoning_tokens=sum(one.reasoning_tokens or 0 for one in counted),
        cost=sum(costs) if known else None,
        currency=currencies.pop() if len(currencies) == 1 else "",
    )


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """How long at least one of them lasted."""
    total, until = 0.0, float("-inf")
    for began, ended in sorted(spans):
        total += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return total
