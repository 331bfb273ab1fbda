"""What `exai doctor` looks at of a store at Supabase: what it answers us, and what the daemon has not been able to send."""

from collections.abc import Iterator
from typing import Any, Final, cast

import trio

from exai_trio.commands.checking.findings import Finding, Seen
from exai_trio.config import Config
from exai_trio.errors import StorageError
from exai_trio.storage.hosted.hosted_faults import HostedFault, KeyRefused, SchemaDiffers
from exai_trio.system.clock import unix_now

ASK_S: Final = 5.0
_OLD_S: Final = 3600.0
_NOT_GRANTED: Final = "42501"
_LARGEST_FILE: Final = 100 * 1024 * 1024  # bytes, that the gateway for files takes
_SEND_AGAIN: Final = "see `exai storage status`; once mended, `exai storage retry` sends them again"


async def look(config: Config) -> tuple[Finding, ...]:
    """What Supabase answers to our key. Raises nothing but Cancelled, which changes nothing."""
    if not config.is_hosted or not config.supabase_url:
        return ()
    from exai_trio.storage.supabase import buckets  # only where it is asked for
    from exai_trio.storage.supabase.connecting import open_remote

    found: list[Finding] = []
    with trio.move_on_after(ASK_S) as asking:
        async with open_remote(config.supabase_url, config.supabase_key, unix_now) as remote:
            try:
                state = await remote.state()
                found.append(Finding.ok(f"Supabase answers, with schema {state.version}"))
                found += map(_of_bucket, await buckets.faults(remote.requests))
                found += map(_of_limit, await buckets.limits(remote.requests, _LARGEST_FILE))
            except StorageError as fault:
                found.append(_of_fault(fault))
    if asking.cancelled_caught:
        found.append(_away(f"Supabase did not answer within {ASK_S:g} s"))
    return tuple(found)


def hosted(seen: Seen) -> Iterator[Finding]:
    yield from seen.hosted
    told: object = seen.daemon.report.health.get("storage") if seen.daemon.report else None
    storage = cast("dict[str, Any]", told) if isinstance(told, dict) else {}
    outbox = cast("dict[str, float]", storage.get("outbox") or {})
    if outbox.get("parked"):
        what = f"Supabase's database refused {outbox['parked']} entries"
        yield Finding.warn(what, _SEND_AGAIN)
    if outbox.get("oldest_s", 0.0) > _OLD_S:
        yield Finding.warn(
            f"{outbox['entries']} entries wait to be sent to Supabase, the oldest for {outbox['oldest_s'] / 60:.0f} min",
            f"nothing is lost, it is sent once that works: {storage.get('last_fault') or 'see the log'}",
        )


def _of_fault(fault: StorageError) -> Finding:
    reason = fault.reason if isinstance(fault, HostedFault) else ""
    match fault:
        case KeyRefused() if reason == _NOT_GRANTED:
            what = "the service role may not use EXAI's tables at Supabase"
            remedy = "`exai storage check` with SUPABASE_DB_URL names what is not granted; `exai storage migrate` prints the grants"
        case KeyRefused():
            what = f"Supabase refuses the key ({reason})"
            remedy = "give SUPABASE_KEY a secret key of this project, from its page API Keys"
        case SchemaDiffers():
            what = "Supabase's tables are not those of this EXAI"
            remedy = "run `exai storage migrate`"
        case _:
            return _away(f"Supabase cannot be reached ({reason or fault})")
    return Finding.fault(what, remedy)


def _away(what: str) -> Finding:
    remedy = "check SUPABASE_URL, the network, and that the project is not paused; EXAI serves without it, and nothing is lost"
    return Finding.warn(what, remedy)


def _of_bucket(sentence: str) -> Finding:
    what, _, remedy = sentence.rstrip(".").partition(": ")
    return Finding.fault(what, remedy)


def _of_limit(sentence: str) -> Finding:
    remedy = "raise the bucket's limit, if the project's plan allows it; larger files stay on this machine"
    return Finding.warn(sentence, remedy)
