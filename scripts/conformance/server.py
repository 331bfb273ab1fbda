"""`exai serve` with the few tools that the conformance suites ask for; no user ever sees them."""

from typing import Any

from exai_trio import structs
from exai_trio.cli import main
from exai_trio.tools import registry
from exai_trio.tools.base import Answer, Caller, Services, Tool


@structs.frozen(kw_only=True)
class NoArguments:
    """They take none."""


async def say(_arguments: NoArguments, _caller: Caller, _services: Services) -> Answer:
    return Answer(text="This is a simple text response for testing.")


async def fail(_arguments: NoArguments, _caller: Caller, _services: Services) -> Answer:
    raise ValueError("This tool intentionally returns an error for testing")


async def count(_arguments: NoArguments, caller: Caller, _services: Services) -> Answer:
    import trio

    for number in range(3):
        caller.stage("working", f"{number}")
        await trio.sleep(0.1)
    return Answer(text="done")


def _tool(name: str, run: Any) -> Tool:
    return Tool(name=name, description=name, arguments=NoArguments, run=run, repeatable=True)


if __name__ == "__main__":
    made = {"test_simple_text": say, "test_error_handling": fail, "test_tool_with_progress": count}
    registry.BUILT_IN = (*registry.BUILT_IN, *(_tool(*one) for one in made.items()))  # type: ignore[misc]
    raise SystemExit(main(["serve"]))
