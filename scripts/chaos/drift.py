"""How a weight moves over a run: its level at the beginning and at the end, once the caches are warm. Pure."""

from collections.abc import Sequence
from statistics import linear_regression, median
from typing import Any

Points = Sequence[tuple[float, float]]


def drift(points: Points) -> dict[str, Any]:
    """`percent` is the median of the last quarter over that of the first; `per_hour` the slope of the second half."""
    values = [value for _, value in points]
    if len(values) < 8:
        return {"percent": 0.0, "per_hour": 0.0}
    quarter = len(values) // 4
    first, last = median(values[:quarter]), median(values[-quarter:])
    return {
        "first_quarter": round(first, 1),
        "last_quarter": round(last, 1),
        "most": round(max(values), 1),
        "percent": round((last / first - 1) * 100, 1) if first else 0.0,
        "per_hour": round(_slope(points[len(points) // 2 :]) * 3600, 1),
    }


def _slope(points: Points) -> float:
    times, values = zip(*points, strict=True)
    return linear_regression(times, values).slope
