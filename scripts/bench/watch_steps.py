"""`exai serve`, telling on stdout at its end how long the steps of its event loop took, in seconds. Run as a child by `loaded`."""

import json
import time

import trio

from exai_trio.cli import main
from exai_trio.daemon.jobs import sinks
from exai_trio.observability.watchdog import Watchdog


class Steps(Watchdog):
    """Takes the watchdog's place, and keeps what each step took."""

    def __init__(self) -> None:
        super().__init__()
        self.took: list[float] = []

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        del task
        self.took.append(time.perf_counter() - self._began)


if __name__ == "__main__":
    steps = Steps()
    sinks.Watchdog = lambda **_: steps
    code = main(["serve"])
    ordered = sorted(steps.took) or [0.0]
    told = {"p99": ordered[len(ordered) * 99 // 100], "most": ordered[-1], "steps": len(ordered)}
    print(json.dumps(told), flush=True)
    raise SystemExit(code)
