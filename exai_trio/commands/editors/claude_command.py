"""`claude mcp add-json` and `claude mcp remove`: Claude Code writes its file itself while it runs, so it is asked to change it.

The entry goes through stdin: command lines are seen by others.
"""

import json
import subprocess
from collections.abc import Mapping
from typing import Any, Final

from exai_trio import structs
from exai_trio.commands.editors.editor_formats import NAME

_PATIENCE_S: Final = 60.0
_FOR_ALL_PROJECTS: Final = ("--scope", "user")


@structs.frozen(kw_only=True)
class ClaudeCommand:
    """`program` is its absolute path. Each returns whether it was done."""

    program: str
    environ: Mapping[str, str]

    def add(self, entry: Mapping[str, Any]) -> bool:
        said = json.dumps(entry, ensure_ascii=False)
        return self._run("add-json", *_FOR_ALL_PROJECTS, NAME, "-", said=said)

    def remove(self) -> bool:
        return self._run("remove", *_FOR_ALL_PROJECTS, NAME)

    def _run(self, *words: str, said: str = "") -> bool:
        try:
            ran = subprocess.run(  # noqa: S603  # the user's own editor
                [self.program, "mcp", *words],
                input=said.encode(),
                env=dict(self.environ),
                capture_output=True,
                timeout=_PATIENCE_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            # audit: empty-handler, because False is what its callers ask about
            return False
        return ran.returncode == 0
