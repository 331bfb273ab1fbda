"""What `exai init` has changed, in a file beside the user's own settings: written before each change, so that it can be undone
whatever ends us. It holds the settings that were there before, and so is its owner's alone."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import attrs

from exai_trio import structs
from exai_trio.system.private_files import replace_private

_NAME: Final = "init.json"


@structs.frozen(kw_only=True)
class Changes:
    """`settings` are the values before, None for none. `providers` were added, `editors` were told."""

    settings: Mapping[str, str | None] = attrs.field(factory=dict[str, str | None], repr=False)
    providers: tuple[str, ...] = ()
    editors: tuple[str, ...] = ()

    def then(self, later: "Changes") -> "Changes":
        """Both: what was there first is what was there before."""
        return Changes(
            settings={**later.settings, **self.settings},
            providers=tuple(dict.fromkeys((*self.providers, *later.providers))),
            editors=tuple(dict.fromkeys((*self.editors, *later.editors))),
        )

    def __bool__(self) -> bool:
        return bool(self.settings or self.providers or self.editors)


def record_beside(own_file: Path) -> Path:
    return own_file.with_name(_NAME)


def read_record(path: Path) -> Changes:
    """What stands there; nothing where there is no file, or one that nobody of ours wrote. Raises OSError."""
    try:
        found: object = json.loads(path.read_bytes()) if path.exists() else {}
    except ValueError:
        return Changes()
    entries = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    settings = cast("dict[str, str | None]", entries.get("settings") or {})
    return Changes(
        settings=settings,
        providers=tuple(entries.get("providers") or ()),
        editors=tuple(entries.get("editors") or ()),
    )


def write_record(path: Path, changes: Changes) -> None:
    """Raises OSError."""
    if changes:
        replace_private(path, json.dumps(attrs.asdict(changes), indent=2).encode())
    else:
        path.unlink(missing_ok=True)
