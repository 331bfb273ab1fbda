"""`exai serve`, whose test_echo crashes when it is asked to. Run as a child by `storm`."""

from typing import Any

import attrs

from exai_trio.tools import registry
from exai_trio.tools.diagnostics.test_echo import TOOL

CRASH = "crash"


async def echo_or_crash(arguments: Any, caller: Any, services: Any) -> Any:
    if arguments.prompt == CRASH:
        raise KeyError(CRASH)
    return await TOOL.run(arguments, caller, services)


if __name__ == "__main__":
    changed = attrs.evolve(TOOL, run=echo_or_crash)
    registry.BUILT_IN = tuple(changed if tool is TOOL else tool for tool in registry.BUILT_IN)
    from exai_trio.cli import main  # takes the tools from there

    raise SystemExit(main(["serve"]))
