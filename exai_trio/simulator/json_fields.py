"""Reading JSON that somebody else wrote: narrowing without trust. Pure: no trio, no clock, no I/O."""

import json
import math
from typing import Any, TypeGuard, cast


def an_object(value: object) -> dict[str, Any]:
    """The value if it is a JSON object, else an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def a_list(value: object) -> list[Any]:
    """The value if it is a JSON array, else an empty one."""
    return value if _is_list(value) else []


def a_text(value: object) -> str:
    """The value if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def a_number(value: object) -> float | None:
    """The value if it is a number that a float holds (true and false are none), else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        # audit: empty-handler, because None is the answer: no number that a float holds
        return None
    return number if math.isfinite(number) else None


def dumped(value: object) -> bytes:
    """Compact UTF-8 JSON, as both services send it; a lone surrogate becomes a question mark."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
