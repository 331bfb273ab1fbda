"""Settings that may change while the daemon runs: which tools it offers.

All others need a restart.
"""

import logging
from collections.abc import Callable

import attrs
import trio

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.settings.load import Loaded
from exai_trio.tools.registry import Registry
from exai_trio.wire.messages import ToolsChanged

from ..sessions.session_registry import Sessions

log = logging.getLogger("exai.daemon")

SWITCHABLE = ("tool_profile", "enabled_tools", "disabled_tools")
Reread = Callable[[], Loaded]


@structs.define(eq=False)
class Reload:
    """Reads the settings of the tools again. `config` is what is in force; everything else in it needs a restart."""

    config: Config
    tools: Registry
    sessions: Sessions

    async def read_again(self, reread: Reread) -> None:
        """Blocks nothing: the file is read in a thread. Settings that cannot be read change nothing; cancelling neither."""
        try:
            loaded = await trio.to_thread.run_sync(reread)
        except (OSError, UnicodeError) as fault:
            unread = str(fault)
        else:
            self._take(loaded)
            return
        log.error("settings not read again", extra={"fault": unread})

    def _take(self, loaded: Loaded) -> None:
        if loaded.faults:
            faults = [fault.variable for fault in loaded.faults]
            log.error("settings not read again", extra={"at_fault": faults})
        else:
            self.apply(loaded.config)

    def apply(self, wanted: Config) -> None:
        """Switch to these tools, and tell every client whose list is not true any more."""
        differing = [
            name for name in _FIELDS if getattr(wanted, name) != getattr(self.config, name)
        ]
        changed = [name for name in differing if name in SWITCHABLE]
        restart = [name for name in differing if name not in SWITCHABLE]
        log.info("settings read again", extra={"changed": changed, "need_a_restart": restart})
        self.config = attrs.evolve(
            self.config, **{name: getattr(wanted, name) for name in SWITCHABLE}
        )
        if self.tools.switch(self.config):
            self._tell()

    def _tell(self) -> None:
        for session in self.sessions.table.values():
            if session.rules.resumable:
                session.sender.deliver(session.rules.number(ToolsChanged()))


_FIELDS = tuple(field.name for field in attrs.fields(Config))
