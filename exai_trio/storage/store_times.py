"""How long each request to a store took, for whoever measures that."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

import trio

from exai_trio import structs


def _to_nobody(_backend: str, _operation: str, _seconds: float) -> None:
    return


@structs.define(eq=False)
class StoreTimes:
    """`note` hears of the backend, the operation and the seconds, also of a request that failed or was cancelled."""

    note: Callable[[str, str, float], None] = _to_nobody

    @contextmanager
    def timed(self, backend: str, operation: str) -> Generator[None]:
        began = trio.current_time()
        try:
            yield
        finally:
            self.note(backend, operation, trio.current_time() - began)
