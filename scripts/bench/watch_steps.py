"""`exai serve`, telling on stdout at its end how long the steps of its event loop took, in seconds. Run as a child.

`p99` and `most` are by the clock, `most_at_work` by what the processor did: on a busy machine others take the rest; `whose` is the task of that step.
"""

import json
import time

import trio

from exai_trio.cli import main
from exai_trio.daemon import app
from exai_trio.observability.watchdog import Watchdog

_START = "lifetime.settle"  # it clears up after the start, once


class Steps(Watchdog):
    """Takes the watchdog's place, and keeps what each step took."""

    def __init__(self) -> None:
        super().__init__()
        self.took: list[float] = []
        self.at_work = (0.0, "")
        self._worked = float("inf")  # no step was begun under its eyes

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        del task
        self._began = time.perf_counter()
        self._worked = time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if task.name.endswith(_START):
            return
        self.took.append(time.perf_counter() - self._began)
        self.at_work = max(self.at_work, (time.thread_time() - self._worked, task.name))


if __name__ == "__main__":
    steps = Steps()
    app.watchdog_of = lambda _report: steps
    code = main(["serve"])
    ordered = sorted(steps.took)
    told = {
        "p99": ordered[len(ordered) * 99 // 100],
        "most": ordered[-1],
        "most_at_work": steps.at_work[0],
        "whose": steps.at_work[1],
    }
    print(json.dumps(told), flush=True)
    raise SystemExit(code)
