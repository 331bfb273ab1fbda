"""Names that are defined in the package and stand nowhere else, in package, scripts or tests: vulture's work."""

from pathlib import Path
from typing import Final

_CONFIDENCE: Final = 60  # vulture's own scale: everything that it suspects


def unused(root):
    """File, line, name and what it is, of each."""
    from vulture import Vulture

    look = Vulture(verbose=False)
    look.scavenge([str(root / name) for name in ("exai_trio", "scripts", "tests") if (root / name).is_dir()], exclude=[
        str(root / "tests" / "audit" / "corpus"), str(root / "tests" / "tools" / "workflow" / "tracing" / "sources"),
    ])  # fmt: skip
    package = root / "exai_trio"
    for item in look.get_unused_code(min_confidence=_CONFIDENCE):
        path = Path(item.filename)
        if path.is_relative_to(package):
            yield path.relative_to(package).as_posix(), item.first_lineno, item.name, item.typ
