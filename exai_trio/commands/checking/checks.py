"""What `exai doctor` looks at: small functions, each giving what it found and what to do.

Printing is `doctor`.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import cast

from exai_trio import __version__
from exai_trio.commands.checking.findings import Check, Finding, Seen
from exai_trio.commands.checking.port_checks import health_port, holders
from exai_trio.commands.checking.provider_checks import online, providers, providers_file
from exai_trio.commands.checking.stores.hosted_checks import hosted
from exai_trio.commands.checking.terminal_checks import terminals
from exai_trio.commands.watching.watching_checks import watching
from exai_trio.config import Config, is_loopback
from exai_trio.errors import ExaiError, UnauthorizedError
from exai_trio.observability.logs import OTHERS
from exai_trio.system.private_files import loose

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 13)
LEAST_BYTES = 100 * 1024 * 1024
CLOCK_S = 5.0


def python(_: Seen) -> Iterator[Finding]:
    version = sys.version_info[:2]
    shown = f"Python {sys.version.split()[0]}"
    if OLDEST_PYTHON <= version <= NEWEST_PYTHON:
        yield Finding.ok(shown)
    else:
        yield Finding.warn(shown, "use Python 3.11, 3.12 or 3.13")


def settings(seen: Seen) -> Iterator[Finding]:
    for fault in seen.loaded.faults:
        yield Finding.fault(str(fault), f"correct or remove {fault.variable}")
    for warning in seen.loaded.warnings:
        yield Finding.warn(warning, "correct or remove it")
    if not seen.loaded.faults:
        yield Finding.ok("the settings can be read and do not contradict each other")


def home(seen: Seen) -> Iterator[Finding]:
    if seen.is_client_only:
        return
    place = seen.config.home
    existing = next((folder for folder in (place, *place.parents) if folder.exists()), place)
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        yield Finding.fault(
            f"{existing} cannot be written, so EXAI_HOME ({place}) is of no use",
            "let EXAI_HOME name a directory that you may write",
        )
        return
    yield Finding.ok(f"EXAI_HOME {place} can be written")
    yield from _loose(seen.config)
    yield from _pipes(seen.config)
    free = shutil.disk_usage(existing).free
    if free < LEAST_BYTES:
        yield Finding.warn(
            f"only {free // 2**20} MiB are free for {place}", "make room, or move EXAI_HOME"
        )


def _loose(config: Config) -> Iterator[Finding]:
    for place in (config.home, config.state):
        if loose(place):
            yield Finding.warn(f"others may look into {place}", f"chmod 700 {place}")
    if loose(config.logs, OTHERS):
        remedy = f"chmod o-rwx,g-w {config.logs}"
        yield Finding.warn(f"others may look into {config.logs}", remedy)


def _pipes(config: Config) -> Iterator[Finding]:
    """What stands in the place of our files and takes nothing that is written to it."""
    for folder in (config.logs, config.state):
        try:
            found = sorted(path for path in folder.iterdir() if path.is_fifo())
        except OSError:
            # audit: silent-loop, because a folder that cannot be read is another check's finding
            continue
        for path in found:
            yield Finding.fault(f"{path} is a pipe, no file", f"rm {path}")


def roots(seen: Seen) -> Iterator[Finding]:
    if seen.is_client_only:
        return
    for root in seen.config.allowed_roots:
        if not root.is_dir():
            yield Finding.warn(
                f"EXAI_ALLOWED_ROOTS names {root}, which is no directory", "correct or remove it"
            )


def daemon(seen: Seen) -> Iterator[Finding]:
    where, found = seen.config.ws_url, seen.daemon
    if found.reached:
        version = found.server.version if found.server else "?"
        yield Finding.ok(f"a daemon ({version}) answers at {where}")
    elif isinstance(found.fault, UnauthorizedError):
        yield Finding.fault(
            f"the daemon at {where} does not accept our token",
            "give EXAI_WS_TOKEN (or JWT_SECRET_KEY) the value that the daemon was started with; if it was started"
            " without, only its own user is let in",
        )
    elif seen.port_taken:
        yield from _taken(seen)
    else:
        yield _absent(seen)


def troubles(seen: Seen) -> Iterator[Finding]:
    told: object = seen.daemon.report.health.get("troubles") if seen.daemon.report else None
    for trouble in cast("list[object]", told) if isinstance(told, list) else ():
        yield Finding.fault(
            f"the daemon serves, but {trouble}", "mend it; the daemon notices within seconds"
        )


def _taken(seen: Seen) -> Iterator[Finding]:
    fault = seen.daemon.fault
    if seen.daemon.silent_s:
        yield _silent(seen.config, seen.daemon.silent_s)
        return
    if isinstance(fault, ExaiError) and fault.retryable:
        yield Finding.warn(str(fault), "try again in a moment")
        return
    who = seen.holders.get(seen.config.ws_port) or "something that is no EXAI daemon"
    yield Finding.fault(
        f"port {seen.config.ws_port} is taken by {who} ({fault})",
        "stop it, or choose another EXAI_WS_PORT for daemon and shim",
    )


def _silent(config: Config, seconds: float) -> Finding:
    return Finding.fault(
        f"something accepts connections at {config.ws_url}, but does not answer within {seconds:g} s",
        f"if it is the daemon, it is stopped or overloaded: see its log in {config.logs}, continue or restart it",
    )


def _absent(seen: Seen) -> Finding:
    if seen.config.ws_autostart and is_loopback(seen.config.ws_host):
        return Finding.ok("no daemon runs; the shim starts one when it is needed")
    if seen.is_client_only:
        remedy = "start it there, or correct EXAI_WS_HOST and EXAI_WS_PORT"
    else:
        remedy = "start it with `exai serve`, or set EXAI_WS_AUTOSTART=true for the shim"
    return Finding.fault(f"no daemon answers at {seen.config.ws_url}", remedy)


def versions(seen: Seen) -> Iterator[Finding]:
    server = seen.daemon.server
    if server is None or server.version == __version__:
        return
    age = "older" if _numbers(server.version) < _numbers(__version__) else "newer"
    remedy = (
        "restart it: `exai restart`"
        if age == "older"
        else "upgrade this installation, or restart the editor so that it starts the new shim"
    )
    yield Finding.warn(
        f"the daemon ({server.version}) is {age} than this package ({__version__})", remedy
    )


def clock(seen: Seen) -> Iterator[Finding]:
    report = seen.daemon.report
    if report is None:
        return
    theirs = _read_time(report.t)
    if theirs is None:
        yield Finding.warn(f"the daemon's time {report.t!r} cannot be read", "upgrade the daemon")
        return
    off = abs((theirs - seen.daemon.answered_at).total_seconds())
    if off > CLOCK_S:
        yield Finding.warn(
            f"the daemon's clock and ours are {off:.0f} s apart",
            "set both clocks by a time server; JWTs and log times depend on it",
        )
    else:
        yield Finding.ok("the daemon's clock and ours agree")


def _read_time(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:  # audit: empty-handler, because None is the answer: no time
        return None
    return found if found.tzinfo else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("+", 1)[0].split(".") if part.isdigit())


CHECKS: tuple[Check, ...] = (
    python,
    settings,
    home,
    providers,
    providers_file,
    roots,
    daemon,
    troubles,
    terminals,
    hosted,
    watching,
    versions,
    clock,
    health_port,
    holders,
    online,
)
