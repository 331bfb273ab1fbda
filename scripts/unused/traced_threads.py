"""A plugin of pytest: what runs in trio's threads is measured too. Trio starts them below `threading`, whose hook they never hear."""

import sys
import threading

from trio._core import _thread_cache  # no public name starts them

_work = _thread_cache.WorkerThread._work  # noqa: SLF001


def _traced(self):
    sys.settrace(threading.gettrace())
    _work(self)


_thread_cache.WorkerThread._work = _traced  # noqa: SLF001
