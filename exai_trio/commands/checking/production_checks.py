"""What `exai doctor --production` looks at besides: what may be left open on a laptop, and may not where others depend on it."""

import resource
from collections.abc import Iterator
from typing import Final

from exai_trio.commands.checking.findings import Check, Finding, Seen
from exai_trio.commands.storage.last_backup import last_backup
from exai_trio.system.clock import unix_now

_DAY_S: Final = 86_400.0
_OLD_DAYS: Final = 7.0  # a backup that is older is as good as none
_DESCRIPTORS: Final = 256  # beside one for each connection
_LEAST_DRAIN_S: Final = 5.0


def token(seen: Seen) -> Iterator[Finding]:
    config = seen.config
    if config.own_token or config.takes_jwt or config.ws_token_file:
        yield Finding.ok("clients need a token of yours")
        return
    yield Finding.warn(
        "no token of yours is set: any process of this machine's user may call",
        "`exai config set EXAI_WS_TOKEN`, for the daemon and its clients",
    )


def allowed_roots(seen: Seen) -> Iterator[Finding]:
    if seen.config.allowed_roots:
        named = ", ".join(map(str, seen.config.allowed_roots))
        yield Finding.ok(f"tools read below {named} alone")
        return
    yield Finding.warn(
        "EXAI_ALLOWED_ROOTS is not set: each client's own project may be read, whatever it names",
        "let EXAI_ALLOWED_ROOTS name the directories that hold your projects",
    )


def descriptors(seen: Seen) -> Iterator[Finding]:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = seen.config.max_connections + _DESCRIPTORS
    if soft == resource.RLIM_INFINITY or soft >= needed:
        yield Finding.ok(f"{soft} files may be open, {needed} are needed at most")
        return
    yield Finding.warn(
        f"{soft} files may be open, but {needed} are needed with MAX_CONNECTIONS={seen.config.max_connections}",
        f"raise the limit (`ulimit -n {needed}`, LimitNOFILE, ulimits), or lower MAX_CONNECTIONS",
    )


def durability(seen: Seen) -> Iterator[Finding]:
    if seen.config.durability == "off":
        yield Finding.warn(
            "EXAI_DURABILITY=off: a call that runs when the daemon ends is lost",
            "set EXAI_DURABILITY to process, or to power",
        )
        return
    yield Finding.ok(f"accepted calls are kept ({seen.config.durability})")


def grace(seen: Seen) -> Iterator[Finding]:
    drain = seen.config.drain_s
    if drain < _LEAST_DRAIN_S:
        yield Finding.warn(
            f"EXAI_DRAIN_S={drain:g}: at each stop calls that run are cut, and run again",
            f"set EXAI_DRAIN_S to {_LEAST_DRAIN_S:g} or more, and let what stops the daemon wait for longer than that",
        )
        return
    yield Finding.ok(
        f"a stop waits {drain:g} s for calls: TimeoutStopSec or stop_grace_period must be longer"
    )


def backup(seen: Seen) -> Iterator[Finding]:
    if seen.config.is_shared:
        yield Finding.ok("what is kept is in PostgreSQL: it is backed up there")
        return
    try:
        last = last_backup(seen.config.state)
    except OSError as fault:
        remedy = "ask as the user of the daemon"
        yield Finding.warn(f"the last backup is not known: {fault}", remedy)
        return
    days = None if last is None else max(0.0, unix_now() - last.at) / _DAY_S
    if last is not None and days is not None and days <= _OLD_DAYS:
        yield Finding.ok(f"the last backup is {days:.1f} days old: {last.file}")
        return
    yield Finding.warn(
        ("there was no backup yet" if days is None else f"the last backup is {days:.0f} days old"),
        "`exai storage backup FILE`, each day, to another disk; the daemon may run",
    )


def alerts(seen: Seen) -> Iterator[Finding]:
    if seen.config.alert_webhook:
        yield Finding.ok("alerts are told to a webhook")
        return
    yield Finding.warn(
        "alerts are told to nobody: they stand on the dashboard alone",
        "set EXAI_ALERT_WEBHOOK, or let Prometheus take docs/prometheus/exai-rules.yml",
    )


def environment(seen: Seen) -> Iterator[Finding]:
    if seen.config.environment != "production":
        yield Finding.warn(
            f"ENVIRONMENT is {seen.config.environment}", "set ENVIRONMENT=production"
        )


PRODUCTION: Final[tuple[Check, ...]] = (
    environment,
    token,
    allowed_roots,
    descriptors,
    durability,
    backup,
    alerts,
    grace,
)
