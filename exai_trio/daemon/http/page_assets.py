"""The files of the dashboard as they ship in the package, under one name that changes with their content.

Blocking, the first time: for threads.
"""

import gzip
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from exai_trio import structs

FOLDER: Final = Path(__file__).parent / "assets"
_MEDIA: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


@structs.frozen(kw_only=True)
class PageAssets:
    """`files` are the contents by their path below the folder, `packed` the same by gzip; `version` stands in their URL."""

    version: str
    files: Mapping[str, bytes]
    packed: Mapping[str, bytes]

    def media(self, name: str) -> str:
        return _MEDIA[Path(name).suffix]


@cache
def page_assets() -> PageAssets:
    files = {
        path.relative_to(FOLDER).as_posix(): path.read_bytes()
        for path in sorted(FOLDER.rglob("*"))
        if path.suffix in _MEDIA
    }
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{name} {len(content)} ".encode() + content)
    packed = {name: gzip.compress(content, mtime=0) for name, content in files.items()}
    return PageAssets(version=digest.hexdigest()[:16], files=files, packed=packed)
