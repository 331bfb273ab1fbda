"""A command on its way, as the command line hands it over."""

from argparse import Namespace

import attrs

from exai_trio.settings.load import Loaded


@attrs.frozen(kw_only=True)
class Started:
    """`env_file` is the absolute path of the ENV_FILE that was read, if any; `pathsep` separates lists of paths."""

    arguments: Namespace
    loaded: Loaded
    env_file: str | None = None
    pathsep: str = ":"
