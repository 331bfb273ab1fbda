"""The tool list an editor is told: the daemon's, else the copy on disk, else our own declarations.

Never empty.
"""

import logging
import os
from pathlib import Path
from typing import Any, Final

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.mcp.server import Server
from exai_trio.mcp.tool_list import Listing, from_file, listing_of, to_file
from exai_trio.system.private_files import private_directory

log = logging.getLogger("exai.shim")

_FILE: Final = "tools.json"


@structs.define(eq=False)
class ToolListCache:
    """What the MCP server tells, and the copy of it for the next start."""

    config: Config
    server: Server

    @property
    def path(self) -> Path:
        return self.config.state / _FILE

    def recall(self) -> None:
        """Take the copy on disk, if there is a sound one. Blocks for less than a millisecond."""
        try:
            self.server.listing = from_file(self.path.read_bytes())
        except OSError:
            self.server.listing = None

    @property
    def declares_at_once(self) -> bool:
        """The shipped list will do: reading it takes a few milliseconds."""
        return not (self.config.enabled_tools or self.config.disabled_tools)

    def declare(self) -> Listing | None:
        """The list as this package declares it. Blocks for imports unless `declares_at_once`: call it in a thread then.

        Where the settings leave no tool at all it is the whole profile: no editor is told of an empty list.
        """
        if not self.declares_at_once:
            from exai_trio.tools.registry import Registry  # heavy, and seldom needed

            chosen = listing_of(Registry.from_config(self.config).listing())
            if chosen is not None:
                return chosen
        from exai_trio.tools.listing_cache import shipped  # only needed without any other list

        return listing_of(shipped(self.config.tool_profile))

    def offer(self, listing: Listing | None) -> None:
        """Tell this list from now on; who has another one is told that it changed."""
        if listing is not None:
            self.server.offer(listing)

    def from_daemon(self, tools: list[dict[str, Any]]) -> Listing | None:
        """Take the daemon's list. Returns it if it differs from what was known and is to be kept."""
        listing = listing_of(tools)
        if listing is None:
            log.warning("the daemon lists no tools")
            return None
        before = self.server.listing
        self.offer(listing)
        return None if before is not None and before.hash == listing.hash else listing

    def keep(self, listing: Listing) -> None:
        """Write the copy, whole or not at all. Blocks: call it in a thread. A copy that cannot be kept is only logged."""
        draft = self.path.with_name(f"{_FILE}.{os.getpid()}")
        try:
            private_directory(self.path.parent)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(to_file(listing))
            draft.replace(self.path)
        except OSError:
            log.warning("tool list not kept", extra={"path": str(self.path)}, exc_info=True)
