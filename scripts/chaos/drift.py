"""How a weight moves over a run once its first quarter has filled the caches. Pure."""

from collections.abc import Sequence
from statistics import linear_regression, median
from typing import Any

Points = Sequence[tuple[float, float]]


def drift(points: Points) -> dict[str, Any]:
    """`percent` is what the whole run would add as fast as it grew from its second quarter to its last; `per_hour` the slope of the
    second half."""
    values = [value for _, value in points]
    if len(values) < 8:
        return {"percent": 0.0, "per_hour": 0.0}
    quarter = len(values) // 4
    second, last = median(values[quarter : 2 * quarter]), median(values[-quarter:])
    grown = last / second - 1 if second else 0.0  # in half of the run: from middle to middle
    return {
        "second_quarter": round(second, 1),
        "last_quarter": round(last, 1),
        "most": round(max(values), 1),
        "percent": round(grown * 200, 1),
        "per_hour": round(_slope(points[len(points) // 2 :]) * 3600, 1),
    }


def _slope(points: Points) -> float:
    times, values = zip(*points, strict=True)
    return linear_regression(times, values).slope
