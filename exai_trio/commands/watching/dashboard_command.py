"""`exai dashboard`: opens the dashboard in a browser, logged in by a code that is good once, for a minute."""

import sys
from collections.abc import Callable, Mapping

import trio

from exai_trio.commands.console import Console
from exai_trio.commands.invocation import Started
from exai_trio.commands.watching.pages_client import asked_of_pages
from exai_trio.config import Config, bracketed


def main(started: Started) -> int:
    console, config = Console.of_process(started.environ), started.loaded.config
    opens = not started.arguments.print and has_display(started.environ)
    return trio.run(run, config, console, _open if opens else None)


async def run(config: Config, console: Console, open_page: Callable[[str], bool] | None) -> int:
    """0 once the page is opened or its address is printed. Raises NotListening or ExaiError. Cancelling leaves a code that nobody uses."""
    told = await asked_of_pages(config, "/api/login/code", {})
    address = f"http://{bracketed(config.client_host)}:{config.monitoring_port}/"
    url = f"{address}#code={told['code']}"
    if open_page is not None and await trio.to_thread.run_sync(open_page, url):
        console.note(f"exai: opened {address}")
        return 0
    console.say(url)
    console.note("exai: this address is good once, for a minute")
    return 0


def has_display(environ: Mapping[str, str]) -> bool:
    """Whether a browser would be seen by somebody."""
    shown = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    return sys.platform == "darwin" or any(environ.get(name) for name in shown)


def _open(url: str) -> bool:
    import webbrowser  # for whoever has a display

    return webbrowser.open(url)
