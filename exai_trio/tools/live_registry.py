"""The tools in force, which may change while clients are connected."""

from typing import Any

from exai_trio import structs
from exai_trio.config import Config

from .base import Tool
from .registry import Registry


@structs.define(eq=False)
class LiveRegistry:
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
