"""Answers that are too large for an editor's reader: kept in a file, told by path and beginning.

Nothing else writes here.
"""

import logging
import os
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from exai_trio import structs
from exai_trio.mcp.versions import Result
from exai_trio.system.private_files import private_directory

log = logging.getLogger("exai.mcp")

MAX_ANSWER: Final = 8 * 2**20  # bytes of one line; some clients stop at 10 MiB
_HEAD: Final = 4_000  # characters


@structs.frozen
class LargeResults:
    """A directory for large answers; made when first needed, readable by nobody else."""

    folder: Path

    def keep(self, text: str, call: str) -> Path:
        """Write the text. Blocks for tens of milliseconds at most: it goes to memory, not to the disk. Raises OSError."""
        private_directory(self.folder)
        name = "".join(letter if letter.isalnum() else "_" for letter in call[-40:])
        path = self.folder / f"answer-{name}-{os.urandom(4).hex()}.txt"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def fitting(self, result: Result, call: str) -> Result:
        """The same result short enough for a line, whatever the disk does."""
        try:
            return self.shortened(result, call)
        except OSError as fault:
            log.exception("large answer not kept")
            text = f"The call ran, but its answer is too large for an editor and could not be kept: {fault}"
            kept: Result = {key: result[key] for key in ("resultType", "_meta") if key in result}
            return {"content": [{"type": "text", "text": text}], "isError": True, **kept}

    def shortened(self, result: Result, call: str) -> Result:
        """The same result with its longest texts in a file instead. Raises OSError."""
        texts = [str(part["text"]) for part in result["content"]]
        whole = "\n".join(texts)
        path = self.keep(whole, call)
        note = f"[{len(whole)} characters; the whole answer is in {path}, this is its beginning]"
        short = {key: value for key, value in result.items() if key != "structuredContent"}
        structured = self._structured(result, note, path)
        if structured is None:
            short["content"] = [{"type": "text", "text": f"{note}\n{whole[:_HEAD]}"}]
        else:
            text = msgspec.json.encode(structured).decode()
            short |= {"content": [{"type": "text", "text": text}], "structuredContent": structured}
        return short

    def _structured(self, result: Result, note: str, path: Path) -> dict[str, Any] | None:
        """The structured answer with every long text cut, so that it still has the shape its schema promises."""
        raw = result.get("structuredContent")
        if raw is None:
            return None
        fields: dict[str, Any] = msgspec.json.decode(raw, type=dict[str, Any])
        cut = {key: _cut(value, note) for key, value in fields.items()}
        if len(msgspec.json.encode(cut)) > MAX_ANSWER // 4:
            return None
        if isinstance(cut.get("metadata"), dict):
            cut["metadata"]["full_answer"] = str(path)
        return cut


def _cut(value: object, note: str) -> Any:
    if isinstance(value, str) and len(value) > _HEAD:
        return f"{note}\n{value[:_HEAD]}"
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        return {key: _cut(item, note) for key, item in fields.items()}
    if isinstance(value, list):
        return [_cut(item, note) for item in cast("list[object]", value)]
    return value
