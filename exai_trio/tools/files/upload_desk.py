"""What all calls share that give files to providers: the registry, the stored contents, and one turn at a time per content."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from exai_trio import structs
from exai_trio.filestore.kept_files import KeptFiles
from exai_trio.storage.base import Owned
from exai_trio.storage.contracts.provider_uploads import UploadRegistry
from exai_trio.system.turns import Turns

if TYPE_CHECKING:
    from exai_trio.filestore.local_objects import LocalObjects
    from exai_trio.filestore.shared_objects import SharedObjects

Asker = tuple[str, str]
"""A principal and a session of theirs."""

_MOST_SHOWN = 100  # dry runs remembered, a few hundred ids each


@structs.define
class Saved:
    """How often a content was to be given to a provider since the start, how often it was there, and what that saved."""

    wanted: int = 0
    hits: int = 0
    bytes: int = 0

    def note(self, size: int, *, was_there: bool) -> None:
        self.wanted += 1
        self.hits += was_there
        self.bytes += size if was_there else 0

    @property
    def hit_rate(self) -> float | None:
        return self.hits / self.wanted if self.wanted else None


@structs.define
class UploadDesk:
    """Built once by the daemon."""

    kept: KeptFiles
    saved: Saved = attrs.field(factory=Saved)
    turns: Turns = attrs.field(factory=Turns, init=False)  # so that no two upload one content
    _shown: dict[Asker, frozenset[str]] = attrs.field(
        factory=dict[Asker, frozenset[str]], init=False
    )

    @property
    def registry(self) -> Owned[UploadRegistry]:
        return self.kept.registry

    @property
    def objects(self) -> "LocalObjects | SharedObjects":
        return self.kept.contents

    @property
    def hosted(self) -> Mapping[str, str] | None:
        """By hash, why a content is not at Supabase yet; None where contents are kept on this machine alone."""
        return self.kept.hosted.shared.missing if self.kept.hosted else None

    def note_shown(self, asker: Asker, file_ids: frozenset[str]) -> None:
        """A dry run has told this session what would be deleted."""
        self._shown.pop(asker, None)
        self._shown[asker] = file_ids
        while len(self._shown) > _MOST_SHOWN:
            self._shown.pop(next(iter(self._shown)))

    def take_shown(self, asker: Asker) -> frozenset[str] | None:
        """What the session's last dry run showed; None if there was none since the last deletion."""
        return self._shown.pop(asker, None)
