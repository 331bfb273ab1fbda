"""A picture of one stress run, as SVG: percentiles of latency above, memory of the daemon below, over the same time."""

import math
from collections.abc import Mapping, Sequence

_W, _LEFT, _RIGHT = 960, 64, 24
_TOP, _UPPER, _BETWEEN, _LOWER, _FOOT = 56, 250, 46, 130, 40
_H = _TOP + _UPPER + _BETWEEN + _LOWER + _FOOT
_COLOURS = {"p50": "#2563eb", "p95": "#f59e0b", "p99": "#dc2626"}

Points = Sequence[tuple[float, float]]


def svg(title: str, latency_s: Mapping[str, Points], memory_mib: Points) -> str:
    """`latency_s` by percentile. Both scales begin at 0."""
    times = [at for points in (*latency_s.values(), memory_mib) for at, _ in points]
    end = max(times, default=1.0) or 1.0
    upper = {name: [(at, took * 1000) for at, took in points] for name, points in latency_s.items()}
    below = _TOP + _UPPER + _BETWEEN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_W} {_H}" width="{_W}" height="{_H}">',
            '<g font-family="system-ui, sans-serif" font-size="12" fill="#374151">',
            '<rect width="100%" height="100%" fill="white"/>',
            f'<text x="{_LEFT}" y="24" font-size="16" font-weight="600" fill="#111827">{title}</text>',
            _legend(upper),
            _panel(upper, end, _TOP, _UPPER, "latency, ms"),
            _panel({"memory": memory_mib}, end, below, _LOWER, "the daemon's memory, MiB"),
            _time_axis(end, below + _LOWER),
            "</g></svg>\n",
        ]
    )


def _legend(series: Mapping[str, Points]) -> str:
    return "".join(
        f'<rect x="{_W - _RIGHT - 70 * (len(series) - place)}" y="14" width="12" height="12" rx="2" fill="{_colour(name)}"/>'
        f'<text x="{_W - _RIGHT - 70 * (len(series) - place) + 18}" y="24">{name}</text>'
        for place, name in enumerate(series)
    )


def _colour(name: str) -> str:
    return _COLOURS.get(name, "#059669")


def _panel(series: Mapping[str, Points], end: float, top: int, height: int, label: str) -> str:
    """Lines over a grid whose numbers are round."""
    highest = max((value for points in series.values() for _, value in points), default=1.0) or 1.0
    step = _round_step(highest / 4)
    scale = math.ceil(highest / step) * step
    rows = [step * number for number in range(round(scale / step) + 1)]
    return "\n".join(
        [
            f'<text x="{_LEFT}" y="{top - 8}" fill="#6b7280">{label}</text>',
            *(_row(value, top + height - value / scale * height) for value in rows),
            *(
                _line(points, _colour(name), end, scale, top, height)
                for name, points in series.items()
            ),
        ]
    )


def _row(value: float, y: float) -> str:
    return (
        f'<line x1="{_LEFT}" x2="{_W - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e5e7eb"/>'
        f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
    )


def _line(points: Points, colour: str, end: float, scale: float, top: int, height: int) -> str:  # noqa: PLR0917  # where and how large
    at = " ".join(
        f"{_x(time, end):.1f},{top + height - value / scale * height:.1f}" for time, value in points
    )
    return f'<polyline points="{at}" fill="none" stroke="{colour}" stroke-width="1.6" stroke-linejoin="round"/>'


def _time_axis(end: float, y: int) -> str:
    unit, name = (60.0, "min") if end > 300 else (1.0, "s")
    step = _round_step(end / unit / 8) * unit
    marks = [step * number for number in range(int(end / step) + 1)]
    shown = "".join(
        f'<text x="{_x(at, end):.1f}" y="{y + 18}" text-anchor="middle">{at / unit:g}</text>'
        for at in marks
    )
    return f'{shown}<text x="{_W - _RIGHT}" y="{y + 34}" text-anchor="end" fill="#6b7280">{name} since the beginning</text>'


def _x(at: float, end: float) -> float:
    return _LEFT + at / end * (_W - _LEFT - _RIGHT)


def _round_step(least: float) -> float:
    """1, 2 or 5 times a power of ten, at least this."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least)
