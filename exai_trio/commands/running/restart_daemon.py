"""`exai restart`: a daemon with the settings of now takes the place of the one that runs; its calls go on."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

import trio

from exai_trio.commands.calling import started_daemon
from exai_trio.commands.checking.daemon_status import health
from exai_trio.commands.client import Dial
from exai_trio.commands.console import Console
from exai_trio.commands.invocation import Started
from exai_trio.commands.running import home_daemon
from exai_trio.config import Config
from exai_trio.errors import ServiceUnavailableError
from exai_trio.transport.websocket import connect

DONE, FAILED = 0, 1
_KEYS: Final = {"glm": "GLM_API_KEY", "kimi": "KIMI_API_KEY"}


def main(started: Started) -> int:
    return trio.run(run, started.loaded.config, Console.of_process(started.environ))


async def run(config: Config, console: Console, *, dial: Dial = connect) -> int:
    """The exit code. Raises Unreachable, PeerGone or ExaiError; ServiceUnavailableError before anything is ended, if the new
    daemon would lack what the old one has."""
    if not config.loopback_only:
        raise ServiceUnavailableError(
            f"{config.ws_url} is no daemon of this machine; restart it where it was started"
        )
    if home_daemon.is_running(config):
        _check(await health(config, dial=dial), config)
        console.status("the daemon ends; calls that run may finish first")
        if not await home_daemon.end(config):
            console.erase()
            console.note("exai: the daemon was told to end and is still there; see `exai logs`")
            return FAILED
    await started_daemon.ensure(config, console)
    console.erase()
    console.say(f"a daemon serves at {config.ws_url}")
    return DONE


def _check(report: Any, config: Config) -> None:  # noqa: ANN401  # HealthReport
    lacking = list(_lacking(report.health, config))
    if lacking:
        raise ServiceUnavailableError(
            f"the daemon that runs has {' and '.join(lacking)}, and this shell has not: restart it from where it was"
            " started, or write it into the file that ENV_FILE names. `exai stop` ends it all the same"
        )


def _lacking(facts: Mapping[str, Any], config: Config) -> Iterator[str]:
    told: object = facts.get("providers")
    for provider in cast("list[dict[str, Any]]", told) if isinstance(told, list) else ():
        variable = _KEYS.get(str(provider.get("name")), "")
        has = provider.get("configured") and not provider.get("simulated")
        if has and variable and not getattr(config, variable.lower()) and not config.simulate:
            yield variable
