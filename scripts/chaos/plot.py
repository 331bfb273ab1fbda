"""A picture of one stress run, as SVG: each answer's latency as a dot, the daemon's memory as a line, over time."""

from collections.abc import Sequence

_W, _H, _LEFT, _TOP = 900, 360, 60, 30
_MOST_DOTS = 4000

Points = Sequence[tuple[float, float]]


def svg(title: str, latency_s: Points, memory_mib: Points) -> str:
    """Both scales begin at 0: milliseconds on the left, MiB on the right."""
    times = [at for at, _ in (*latency_s, *memory_mib)] or [1.0]
    end = max(times) or 1.0
    slowest = max((value for _, value in latency_s), default=1.0) or 1.0
    heaviest = max((value for _, value in memory_mib), default=1.0) or 1.0
    step = max(1, len(latency_s) // _MOST_DOTS)
    dots = "".join(
        f'<circle cx="{_x(at, end):.1f}" cy="{_y(value, slowest):.1f}" r="1.2"/>'
        for at, value in latency_s[::step]
    )
    line = " ".join(f"{_x(at, end):.1f},{_y(value, heaviest):.1f}" for at, value in memory_mib)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_W}" height="{_H}" font-family="sans-serif" font-size="12">',
            '<rect width="100%" height="100%" fill="white"/>',
            f'<text x="{_LEFT}" y="18">{title}</text>',
            f'<rect x="{_LEFT}" y="{_TOP}" width="{_W - 2 * _LEFT}" height="{_H - 2 * _TOP}" fill="none" stroke="#999"/>',
            f'<g fill="#36c" fill-opacity="0.4">{dots}</g>',
            f'<polyline points="{line}" fill="none" stroke="#c33" stroke-width="1.5"/>',
            f'<text x="4" y="{_TOP + 10}" fill="#36c">{slowest * 1000:.0f} ms</text>',
            f'<text x="{_W - _LEFT + 4}" y="{_TOP + 10}" fill="#c33">{heaviest:.0f} MiB</text>',
            f'<text x="{_W - _LEFT - 40}" y="{_H - 10}">{end:.0f} s</text>',
            "</svg>\n",
        ]
    )


def _x(at: float, end: float) -> float:
    return _LEFT + at / end * (_W - 2 * _LEFT)


def _y(value: float, most: float) -> float:
    return _H - _TOP - value / most * (_H - 2 * _TOP)
