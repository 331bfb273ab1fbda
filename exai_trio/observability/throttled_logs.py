"""What a library logs again and again, once in a while."""

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

import trio

from exai_trio import structs

_SAID_AGAIN_S: Final = 5.0


@structs.define(eq=False)
class Sparse:
    """A filter of logging: lets a record through each 5 seconds, without its traceback. `clock` gives seconds; the usual one
    only to what trio runs."""

    clock: Callable[[], float] = trio.current_time
    _said: float = float("-inf")

    def __call__(self, record: logging.LogRecord) -> bool:
        now = self.clock()
        if now - self._said < _SAID_AGAIN_S:
            return False
        self._said = now
        record.exc_info = None
        return True


@contextmanager
def sparse(logger: str) -> Generator[None]:
    """The logger of this name says little while the block lasts."""
    kept = Sparse()
    logging.getLogger(logger).addFilter(kept)
    try:
        yield
    finally:
        logging.getLogger(logger).removeFilter(kept)
