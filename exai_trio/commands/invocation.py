"""A command on its way, as the command line hands it over."""

from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs

from exai_trio import structs
from exai_trio.settings.load import Loaded


@structs.frozen(kw_only=True)
class Started:
    """`env_file` is the absolute path of the file of settings that was read, if any, and `found` says that nobody named it;
    `own_file` is where the user's own settings are or would be, None without a home; `environ` are the variables; `pathsep` separates lists of paths;
    `module_path` is PYTHONPATH as processes of ours get it, where that differs from ours.

    `words` are what was typed, the command first. `reread` gives the settings as they are now: the file may have changed.
    Raises OSError or UnicodeError.
    """

    arguments: Namespace
    loaded: Loaded
    env_file: str | None = None
    own_file: Path | None = None
    environ: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    found: bool = False
    pathsep: str = ":"
    module_path: str | None = None
    reread: Callable[[], Loaded] | None = None
    words: tuple[str, ...] = ()
