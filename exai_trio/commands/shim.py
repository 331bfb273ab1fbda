"""`exai shim`: the shim under the process's logs.

An editor waits for it: nothing is imported here that it does not need.
"""

import trio

from exai_trio.commands.invocation import Started
from exai_trio.incidents.late_capture import late_capture
from exai_trio.observability.logs import open_logs
from exai_trio.shim.app import run


def main(started: Started) -> int:
    config = started.loaded.config
    with late_capture(config, "shim"), open_logs(config, "ws_shim"):
        trio.run(run, config)
    return 0
