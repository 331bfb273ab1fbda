"""The tools in force, which may change while clients are connected. What changes them is `switching`."""

from typing import Any, Protocol

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.tools.base import Tool
from exai_trio.tools.registry import Registry


class Offered(Protocol):
    """What a Toolset and a Registry have in common."""

    def get(self, name: str) -> Tool: ...

    def names(self) -> tuple[str, ...]: ...

    def visible(self) -> tuple[Tool, ...]: ...

    def listing(self) -> list[dict[str, Any]]: ...


@structs.define(eq=False)
class Toolset:
    """Stands where a Registry is wanted. A call that runs keeps its tool, whatever is switched meanwhile."""

    registry: Registry

    def get(self, name: str) -> Tool:
        return self.registry.get(name)

    def names(self) -> tuple[str, ...]:
        return self.registry.names()

    def visible(self) -> tuple[Tool, ...]:
        return self.registry.visible()

    def listing(self) -> list[dict[str, Any]]:
        return self.registry.listing()

    def switch(self, config: Config) -> bool:
        """Offer what this configuration says. True if another list is told from now on."""
        before = self.listing()
        self.registry = Registry.from_config(config, self.registry.tools)
        return self.listing() != before
