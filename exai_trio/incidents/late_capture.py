"""The capture of a process that must start fast: nothing of it is loaded before something fails."""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from exai_trio.config import Config

_OURS: Final = "exai"


class LateCapture(logging.Handler):
    """Each error goes to the spool, for the daemon to take up."""

    def __init__(self, config: "Config", process: str) -> None:
        super().__init__(logging.ERROR)
        self._config, self._process = config, process
        self._capture: logging.Handler | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._loaded().emit(record)
        except (ImportError, OSError):
            self.handleError(record)

    def _loaded(self) -> logging.Handler:
        if self._capture is None:
            from exai_trio.incidents.capture import capture_of  # nothing has failed before
            from exai_trio.incidents.log_ring import LogRing

            self._capture = capture_of(self._config, self._process, LogRing())
        return self._capture


@contextmanager
def late_capture(config: "Config", process: str) -> Generator[None]:
    """Catch what is logged as an error on `exai` until the block ends."""
    handler, ours = LateCapture(config, process), logging.getLogger(_OURS)
    ours.addHandler(handler)
    try:
        yield
    finally:
        ours.removeHandler(handler)
        handler.close()
