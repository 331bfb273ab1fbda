"""Modules that are loaded otherwise than they are written."""

import importlib.machinery
import sys
from collections.abc import Mapping
from types import CodeType


def load_instead(changed: Mapping[str, CodeType]) -> None:
    """Whoever imports a module of these paths gets the code that belongs to it, which is written nowhere. No module of the package is
    loaded yet."""
    original = importlib.machinery.SourceFileLoader.get_code

    def get_code(self: importlib.machinery.SourceFileLoader, name: str) -> CodeType | None:
        return changed.get(self.path) or original(self, name)

    assert not any(name.startswith("exai_trio") for name in sys.modules)
    importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore[method-assign]
