"""What is wrong around the daemon while it goes on: said once when it begins and once when it is over.

No I/O but the log.
"""

import logging
from collections.abc import Callable

import attrs

from exai_trio import structs
from exai_trio.observability.events import Event, Troubled

log = logging.getLogger("exai.trouble")


@structs.define(eq=False)
class Problems:
    """Each by the name of what has it."""

    publish: Callable[[Event], None]
    _known: dict[str, str] = attrs.field(factory=dict[str, str])

    def __bool__(self) -> bool:
        return bool(self._known)

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._known)

    def note(self, name: str, text: str | None) -> None:
        """It is in trouble as `text` says, or (None) in none."""
        if text is None:
            if self._known.pop(name, None) is not None:
                log.info("trouble is over", extra={"what": name})
                self.publish(Troubled(what=name, text=None))
            return
        if name not in self._known:
            log.error("trouble", extra={"what": name, "text": text})
            self.publish(Troubled(what=name, text=text))
        self._known[name] = text

    def told(self) -> list[str]:
        return [f"{name}: {text}" for name, text in self._known.items()]
