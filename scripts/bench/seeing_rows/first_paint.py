"""How soon the dashboard shows something in a browser that knows its files, and what it loads where nothing is known."""

from collections.abc import Iterator
from typing import Any, Final

from ..pairs import our_daemon
from ..processes import free_port
from ..report import Goal, Row, median
from .browser import chromium

KB: Final = 1000
_PAINTED: Final = """() => new Promise(painted => {
  const seen = list => list.find(one => one.name === "first-contentful-paint");
  const there = seen(performance.getEntriesByType("paint"));
  if (there) painted(there.startTime);
  else new PerformanceObserver((list, looking) => { const one = seen(list.getEntries()); if (one) { looking.disconnect(); painted(one.startTime); } }).observe({ type: "paint" });
})"""
_LOADED: Final = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .reduce((sum, one) => sum + one.transferSize, 0)"""


def first_paint(*, quick: bool) -> Iterator[Row]:
    """One browser, one window after the other; the first has nothing in its cache."""
    loads, port = (5 if quick else 20), free_port()
    address = f"http://127.0.0.1:{port}/"
    with our_daemon(EXAI_SIMULATE="true", MONITORING_PORT=port), chromium() as browser:
        page = browser.new_context().new_page()
        page.goto(address, wait_until="networkidle")
        loaded = page.evaluate(_LOADED)
        paints = [_painted_ms(page, address) for _ in range(loads)]
    yield Row(what=f"first paint, warm browser, median of {loads}", unit="ms", ours=median(paints), goal=Goal("at most", 200))  # fmt: skip
    yield Row(what="bytes on first load", unit="KB", ours=loaded / KB, goal=Goal("at most", 120))


def _painted_ms(page: Any, address: str) -> float:
    page.goto(address)
    painted: float = page.evaluate(_PAINTED)
    return painted
