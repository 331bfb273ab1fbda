"""Whether a run counts: an answer, in time, to this very call, right, known to the daemon and asked of the provider. Pure."""

import json

import attrs

from .definitions import filled, holds
from .records import Run


@attrs.frozen(kw_only=True)
class Seen:
    """Everything that is known of one run. `requests` are the provider's, None where nobody can say; `row` is what the daemon has
    written down, None if it has nothing, and `is_written` is None where that cannot be looked up."""

    definition: object
    holes: dict
    reply: object
    requests: list | None = None
    row: dict | None = None
    is_written: bool | None = None
    is_live: bool = False


def judged(seen):
    frame = seen.reply.frame or {}
    metadata = _metadata(frame)
    wrong = _wrong(seen, frame, metadata)
    usage, row = frame.get("usage") or {}, seen.row or {}
    latency = metadata.get("latency_metrics", {})
    total_ms = seen.reply.total_s * 1000
    return Run(
        tool=seen.definition.name,
        ok=not wrong,
        reason=wrong,
        code=(frame.get("error") or {}).get("code", "") or ("" if frame else "NO_ANSWER"),
        right=bool(frame.get("ok")) and not _false(seen, frame),
        total_ms=round(total_ms, 3),
        global_wait_ms=latency.get("global_sem_wait_ms"),
        provider_wait_ms=latency.get("provider_sem_wait_ms"),
        processing_ms=latency.get("processing_ms"),
        first_chunk_ms=_first(seen.reply),
        own_ms=_own(seen, row, total_ms),
        model=row.get("model") or metadata.get("model_used", ""),
        input_tokens=_either(row, usage, "input_tokens"),
        cached_tokens=_either(row, usage, "cached_tokens"),
        output_tokens=_either(row, usage, "output_tokens"),
        cost=row.get("cost") if row else usage.get("cost_usd"),
        currency=row.get("currency") or usage.get("currency", ""),
        requests=None if seen.requests is None else len(seen.requests),
        simulated=not seen.is_live,
    )


def _either(row, usage, name):
    return row[name] if row.get(name) is not None else usage.get(name)


def _first(reply):
    return None if reply.first_chunk_s is None else round(reply.first_chunk_s * 1000, 3)


def _metadata(frame):
    outputs = frame.get("outputs") or [{}]
    return outputs[0].get("metadata") or {}


def _own(seen, row, total_ms):
    """All that was not the provider's; None where that cannot be told."""
    if "with_provider_ms" in row:
        return round(max(0.0, total_ms - row["with_provider_ms"]), 3)
    return round(total_ms, 3) if not seen.definition.requests else None


def _wrong(seen, frame, metadata):
    if seen.reply.frame is None:
        return f"no answer within {seen.definition.limit:g} s"
    if seen.reply.strange:
        return f"{seen.reply.strange} frames came that answer other calls"
    if not frame.get("ok"):
        error = frame.get("error") or {}
        return f"{error.get('code', 'an error without a code')}: {error.get('message', '')}"
    if seen.reply.total_s > seen.definition.limit:
        return f"it took longer than {seen.definition.limit:g} s"
    if metadata.get("handle"):
        return "it was answered with a handle in place of an outcome"
    return _false(seen, frame) or _unasked(seen, frame) or _unknown(seen)


def _false(seen, frame):
    """What is wrong with the content."""
    text = "\n".join(output.get("text", "") for output in frame.get("outputs") or ())
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    return holds(filled(seen.definition.right, seen.holes), text, content)


def _unasked(seen, frame):
    wanted = dict(seen.definition.requests)
    if seen.requests is None:
        asked = (frame.get("usage") or {}).get("input_tokens")
        return "" if asked or not seen.definition.asks_model else "no model counted any tokens"
    for request in seen.requests:
        path = next((path for path in wanted if request["path"].endswith(path)), None)
        if path is None and _is_the_daemons_own(request):
            continue
        if path is None:
            return f"the provider was asked for {request['path']}, which is not expected"
        wanted[path] -= 1
    for path, left in wanted.items():
        if left:
            count = seen.definition.requests[path]
            return f"the provider got {count - left} requests for {path}, not {count}"
    return ""


def _is_the_daemons_own(request):
    """A daemon asks for the lists of models and of files by itself, whatever is called meanwhile."""
    return request["method"] == "GET" and request["path"].endswith(("/models", "/files"))


def _unknown(seen):
    return "the daemon has not written it down" if seen.is_written is False else ""
