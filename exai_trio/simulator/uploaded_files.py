"""The files that a simulated service holds: what it takes, what it refuses, what it gives back. Pure: no trio, no clock, no I/O.

Contents are kept up to KEPT bytes a file and SHELF bytes in all; sizes are always the real ones.
"""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, Literal

import attrs

from exai_trio import structs

from .chat.model_answer import CREATED
from .server.multipart import Form
from .vendors.error_bodies import Refusal, Refused, glm_refusal, kimi_refusal

MB = 1024 * 1024
KEPT = 4 * MB
SHELF = 64 * MB
MAX_FILES = 1_000
MAX_ALL = 10 * 1024 * MB
KIMI_PURPOSES = frozenset({"file-extract", "image", "video", "batch"})
PICTURES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp"})
AGENT_SUFFIXES = frozenset({
    ".pdf", ".doc", ".docx", ".xls", ".xlsx", ".ppt", ".pptx", ".txt", ".jpg", ".jpeg", ".png",
})  # fmt: skip


@structs.frozen(kw_only=True)
class _Purpose:
    """What GLM takes for a purpose: the largest file in MB, how many, which file name endings (none: any)."""

    megabytes: int
    files: int
    suffixes: frozenset[str] = frozenset()


GLM_PURPOSES: Mapping[str, _Purpose] = MappingProxyType(
    {
        "agent": _Purpose(megabytes=100, files=1_000, suffixes=AGENT_SUFFIXES),
        "batch": _Purpose(megabytes=100, files=1_000, suffixes=frozenset({".jsonl"})),
        "code-interpreter": _Purpose(megabytes=20, files=100),
        "voice-clone-input": _Purpose(megabytes=10, files=100),
        "file-extract": _Purpose(megabytes=50, files=100),
    }
)


@structs.frozen(kw_only=True)
class Held:
    """A file on the shelf; `size` in bytes, `kept` the beginning of it."""

    id: str
    filename: str
    purpose: str
    size: int
    created: int
    sha256: str
    kept: bytes = attrs.field(repr=False)

    def text(self) -> str:
        """What an extraction gives: the text itself, or a line about bytes that are none."""
        try:
            text = self.kept.decode("utf-8")
        except UnicodeDecodeError:
            return (
                f"[simulated extract of {self.filename}: {self.size} bytes, sha256 {self.sha256}]"
            )
        if self.size > len(self.kept):
            text += f"\n[simulated: the first {len(self.kept)} of {self.size} bytes]"
        return text


@structs.define
class Shelf:
    """The files of one service. `shelf_bytes` bounds the memory for contents. `now` gives unix seconds; else times are made up."""

    vendor: Literal["glm", "kimi"]
    shelf_bytes: int = SHELF
    now: Callable[[], int] | None = None
    held: dict[str, Held] = attrs.field(factory=dict[str, Held])
    taken: int = 0

    def upload(self, form: Form | None) -> Held:
        """Raises: Refused, in the service's own words."""
        if form is None or form.filename is None:
            raise Refused(self._no_file())
        purpose = form.fields.get("purpose", "")
        if self.vendor == "glm":
            self._check_glm(form.filename, purpose, len(form.content))
        else:
            self._check_kimi(form.filename, purpose, len(form.content))
        return self._put(form.filename, purpose, form.content)

    def take(self, file_id: str) -> Held:
        """Raises: Refused when there is no such file."""
        if file_id not in self.held:
            raise Refused(self._no_such(file_id))
        return self.held[file_id]

    def delete(self, file_id: str) -> Held:
        """Raises: Refused when there is no such file."""
        held = self.take(file_id)
        del self.held[file_id]
        return held

    def vanish(self, file_id: str) -> bool:
        """It is gone without anybody having asked for that. Returns whether it was there."""
        return self.held.pop(file_id, None) is not None

    def listed(self, purpose: str = "") -> list[Held]:
        return [held for held in self.held.values() if purpose in {"", held.purpose}]

    def shows(self, file_id: str) -> bool:
        """Whether a chat may refer to it as a picture or a video."""
        held = self.held.get(file_id)
        return held is not None and held.purpose in {"image", "video"}

    def _put(self, filename: str, purpose: str, content: bytes) -> Held:
        self.taken += 1
        held = Held(
            id=f"file_sim{self.taken:06d}"
            if self.vendor == "kimi"
            else f"17600000{self.taken:06d}",
            filename=self._free_name(filename),
            purpose=purpose,
            size=len(content),
            created=self.now() if self.now else CREATED + self.taken,
            sha256=hashlib.sha256(content).hexdigest(),
            kept=content[:KEPT],
        )
        self.held[held.id] = held
        self._forget_contents()
        return held

    def _forget_contents(self) -> None:
        """Empty the oldest files until the rest fits; they stay listed."""
        kept = sum(len(held.kept) for held in self.held.values())
        for key, held in self.held.items():
            if kept <= self.shelf_bytes:
                return
            kept -= len(held.kept)
            self.held[key] = attrs.evolve(held, kept=b"")

    def _free_name(self, filename: str) -> str:
        """Kimi renames a file whose name it has already."""
        names = {held.filename for held in self.held.values()}
        if self.vendor == "glm" or filename not in names:
            return filename
        path = PurePath(filename)
        numbered = (f"{path.stem}({number}){path.suffix}" for number in range(1, MAX_FILES + 1))
        return next(name for name in numbered if name not in names)

    def _check_glm(self, filename: str, purpose: str, size: int) -> None:
        limits = GLM_PURPOSES.get(purpose)
        if limits is None:
            raise Refused(glm_refusal("1214", what="purpose"))
        if size > 100 * MB:
            raise Refused(glm_refusal("435"))
        if size > limits.megabytes * MB:
            raise Refused(glm_refusal("1214", f"File size exceeds {limits.megabytes}MB"))
        suffix = PurePath(filename).suffix.lower()
        if limits.suffixes and suffix not in limits.suffixes:
            raise Refused(glm_refusal("1214", f"File type {suffix or 'unknown'} is not supported"))
        if len(self.listed(purpose)) >= limits.files:
            raise Refused(glm_refusal("1214", f"The number of files exceeds {limits.files}"))

    def _check_kimi(self, filename: str, purpose: str, size: int) -> None:
        if purpose not in KIMI_PURPOSES:
            raise Refused(kimi_refusal("purpose"))
        if size == 0:
            raise Refused(kimi_refusal("file_empty"))
        if size > 100 * MB:
            raise Refused(kimi_refusal("file_size"))
        if purpose == "file-extract" and PurePath(filename).suffix.lower() in PICTURES:
            raise Refused(kimi_refusal("invalid", what="text extract error: no text in a picture"))
        in_all = sum(held.size for held in self.held.values())
        if len(self.held) >= MAX_FILES or in_all + size > MAX_ALL:
            raise Refused(kimi_refusal("file_count"))

    def _no_file(self) -> Refusal:
        if self.vendor == "glm":
            return glm_refusal("1213", what="file")
        return kimi_refusal("invalid", what="file is required")

    def _no_such(self, file_id: str) -> Refusal:
        if self.vendor == "glm":
            return glm_refusal("1214", f"File {file_id} does not exist", status=404)
        return kimi_refusal("resource_not_found_error", f"file {file_id} not found", status=404)


def file_object(held: Held, vendor: str) -> dict[str, Any]:
    """The file as the service describes it; Kimi adds a status."""
    described: dict[str, Any] = {
        "id": held.id,
        "object": "file",
        "bytes": held.size,
        "filename": held.filename,
        "purpose": held.purpose,
        "created_at": held.created,
    }
    if vendor == "kimi":
        described |= {"status": "ok" if held.purpose != "batch" else "ready", "status_details": ""}
    return described
