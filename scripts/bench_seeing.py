#!/usr/bin/env -S .venv/bin/python
"""What it costs that EXAI sees itself, with and without it in one run: sinks, /metrics, calls, memory, start, pages, incidents.

`python scripts/bench_seeing.py [--quick] [--only NAME] [--json FILE] [--check]`. `page` needs Debian's chromium and Playwright. Exit
codes: 0 measured, 1 something could not be measured, or with --check a goal is missed.
"""

from bench import seeing
from bench.command import main
from bench.seeing_rows import first_paint, incidents, page, stored, storm, watched

MEASUREMENTS = {
    "sinks": seeing.sinks,
    "metrics": seeing.metrics,
    "flat": seeing.flat,
    "relay": watched.relay,
    "minutes": watched.minutes,
    "idle": seeing.idle,
    "memory": stored.memory,
    "pages": stored.pages,
    "page": page.page,
    "paint": first_paint.first_paint,
    "detection": incidents.detection,
    "storm": storm.storm,
    "investigation": incidents.investigation,
}

if __name__ == "__main__":
    main(__doc__, MEASUREMENTS)
