"""`exai doctor`: looks at everything once, then says what is wrong and how to mend it.

The judging is in `checks`.
"""

from contextlib import suppress
from functools import partial

import attrs
import trio

from exai_trio.commands.access import redis_checks
from exai_trio.commands.calling import started_daemon
from exai_trio.commands.checking import online_trials, port_holder
from exai_trio.commands.checking.checks import CHECKS
from exai_trio.commands.checking.findings import Check, Daemon, Finding, Seen, State
from exai_trio.commands.checking.production_checks import PRODUCTION
from exai_trio.commands.checking.stores import hosted_checks, postgres_checks
from exai_trio.commands.client import Dial, open_client
from exai_trio.commands.console import Console
from exai_trio.commands.invocation import Started
from exai_trio.config import Config
from exai_trio.errors import ExaiError, ServiceUnavailableError
from exai_trio.settings.load import Loaded
from exai_trio.transport.loopback_get import NoHttp, get
from exai_trio.transport.websocket import PeerGone, Unreachable, connect
from exai_trio.wire.messages import Health, HealthReport

ASK_S = 3.0  # for each thing that is asked over a socket
_MARK: dict[State, str] = {"ok": "ok   ", "warn": "warn ", "fault": "FAULT"}


def main(started: Started) -> int:
    arguments = started.arguments
    checks = (*CHECKS, *PRODUCTION) if arguments.production else CHECKS
    running = partial(run, as_json=arguments.json, online=arguments.online, checks=checks)
    return trio.run(running, started.loaded, Console.of_process(started.environ))


async def run(
    loaded: Loaded,
    console: Console,
    *,
    as_json: bool,
    online: bool = False,
    checks: tuple[Check, ...] = CHECKS,
    dial: Dial = connect,
) -> int:
    """The exit code: 1 if there is a fault. Raises nothing but Cancelled."""
    seen = await look(loaded, dial)
    if online and not seen.daemon.reached and started_daemon.may_start(loaded):
        with suppress(ServiceUnavailableError):  # what is wrong then, the checks say
            # audit: suppress, because what is wrong then, the checks say
            await started_daemon.ensure(loaded.config, console)
        seen = await look(loaded, dial)
    if online:
        console.status("asking each provider")
        trials = await online_trials.try_all(loaded.config, seen.daemon, dial)
        seen = attrs.evolve(seen, trials=trials)
        console.erase()
    findings = examine(seen, checks)
    if as_json:
        console.say_json([attrs.asdict(one) for one in findings])
    else:
        console.tell("\n".join(_line(one) for one in findings))
    return 1 if any(one.state == "fault" for one in findings) else 0


def examine(seen: Seen, checks: tuple[Check, ...] = CHECKS) -> tuple[Finding, ...]:
    return tuple(finding for check in checks for finding in check(seen))


async def look(loaded: Loaded, dial: Dial = connect) -> Seen:
    """Ask all that must be asked over sockets."""
    config = loaded.config
    daemon = await _ask(config, dial)
    taken = daemon.reached or await _listens(config.client_host, config.ws_port)
    health = None
    if daemon.reached and config.health_check_port:
        health = await _health_status(config.client_host, config.health_check_port)
    seen = Seen(loaded=loaded, daemon=daemon, port_taken=taken, health=health)
    holders = await trio.to_thread.run_sync(_holders, seen, abandon_on_cancel=True)
    stores = (
        *await hosted_checks.look(config),
        *await postgres_checks.look(config),
        *await redis_checks.look(config),
    )
    return attrs.evolve(seen, holders=holders, hosted=stores)


def _holders(seen: Seen) -> dict[int, str]:
    """Of our ports, by those that are not our daemon. Blocking."""
    if not seen.config.loopback_only:
        return {}
    own = _own_process(seen.daemon)
    ports = [port for _, port in seen.http_ports]
    if seen.port_taken and not seen.daemon.reached:
        ports.append(seen.config.ws_port)
    found = {port: port_holder.holder(port) for port in ports if port}
    return {port: who for port, who in found.items() if who and not (own and own in who)}


def _own_process(daemon: Daemon) -> str:
    pid = daemon.report.health.get("pid") if daemon.report else None
    return f"(process {pid})" if pid else ""


async def _ask(config: Config, dial: Dial) -> Daemon:
    try:
        with trio.fail_after(ASK_S):
            async with open_client(config, dial=dial) as client:
                await client.send(Health())
                while not isinstance(answer := await client.receive(), HealthReport):
                    pass
                server = client.server
    except (ExaiError, PeerGone, Unreachable) as fault:
        return Daemon(reached=False, fault=fault)
    except trio.TooSlowError:
        return Daemon(reached=False, silent_s=ASK_S)
    return Daemon(reached=True, server=server, report=answer)


async def _listens(host: str, port: int) -> bool:
    try:
        with trio.fail_after(ASK_S):
            stream = await trio.open_tcp_stream(host, port)
    except (OSError, trio.TooSlowError):
        # audit: empty-handler, because that nobody listens is the answer
        return False
    await trio.aclose_forcefully(stream)
    return True


async def _health_status(host: str, port: int) -> int | None:
    """The HTTP status of /health, or None if nothing there speaks HTTP."""
    try:
        with trio.move_on_after(ASK_S):
            return (await get(host, port, "/health")).status
    except (OSError, NoHttp):
        # audit: empty-handler, because that nothing speaks HTTP is the answer
        return None
    return None


def _line(finding: Finding) -> str:
    head = f"{_MARK[finding.state]} {finding.what}"
    return f"{head}\n      → {finding.remedy}" if finding.remedy else head
