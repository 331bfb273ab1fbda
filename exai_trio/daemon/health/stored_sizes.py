"""How many bytes the home keeps on its disk, by kind; counted now and then, since that asks the disk."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs
import trio

from exai_trio import structs
from exai_trio.config import Config


@structs.define(eq=False)
class StoredSizes:
    """`kinds` is empty until it was counted."""

    kinds: Mapping[str, int] = attrs.field(factory=dict[str, int])

    async def count(self, config: Config) -> None:
        """Raises OSError, also if a file goes while it is looked at. Cancelling leaves the count to its thread."""
        self.kinds = await trio.to_thread.run_sync(_counted, config, abandon_on_cancel=True)


def _counted(config: Config) -> Mapping[str, int]:
    return {
        "database": _size(config.state.glob("exai.db*")),
        "files": _size(config.objects.rglob("*")),
        "logs": _size(config.logs.rglob("*")),
    }


def _size(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths if path.is_file())
