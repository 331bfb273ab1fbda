"""How programs of ours are started, whatever folder that happens in. Pure: no trio, no clock, no I/O.

By this interpreter, which is told to import nothing from the working directory (`-P`).
"""

import sys
from pathlib import PurePath
from typing import Final

MODULE: Final = ("-P", "-m", "exai_trio")
EXAI: Final = (sys.executable, *MODULE)
_OURS: Final = PurePath(__file__).parents[1]


def anchored(module_path: str, pathsep: str, here: str) -> str:
    """PYTHONPATH without what depends on the working directory, `here`: to Python an empty part means that one. The folder that
    we ourselves were found in stays, by its whole path."""
    parts = (PurePath(part) for part in module_path.split(pathsep))
    whole = ((part.is_absolute(), PurePath(here, part)) for part in parts)
    return pathsep.join(str(path) for stays, path in whole if stays or path == _OURS)
