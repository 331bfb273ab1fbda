"""How programs of ours are started, whatever folder that happens in: by this interpreter, which is told to import nothing from
the working directory (`-P`). Pure: no trio, no clock, no I/O.
"""

import sys
from pathlib import PurePath
from typing import Final

MODULE: Final = ("-P", "-m", "exai_trio")
EXAI: Final = (sys.executable, *MODULE)


def anchored(module_path: str, pathsep: str) -> str:
    """PYTHONPATH without what depends on the working directory: to Python an empty part means that one."""
    parts = module_path.split(pathsep)
    return pathsep.join(part for part in parts if PurePath(part).is_absolute())
