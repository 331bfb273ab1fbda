"""What an answer of Supabase's means: success, or a fault of a kind that says what to do. Pure.

The code in the body counts first; HTTP's status where there is none, as in what a gateway says itself.
"""

import re
from typing import Final

from exai_trio.storage.hosted.hosted_faults import (
    EntryRefused,
    HostedAway,
    HostedFault,
    KeyRefused,
    SchemaDiffers,
    TooLarge,
)

_ERRORS: Final = 400
_PAYLOAD_TOO_LARGE: Final = 413
_CODE: Final = re.compile(rb'\s*\{\s*"code"\s*:\s*"(\w+)"')
_MIGRATE: Final = "Supabase's tables are not those of this EXAI ({}): run `exai storage migrate`."
_KEY: Final = (
    "Supabase refuses the key ({}): check SUPABASE_KEY, and that what `exai storage migrate` has made"
    " is granted to the service role (`exai storage check`)."
)
_AWAY: Final = "Supabase cannot be reached ({}); what is kept meanwhile is sent later."
_READ_ONLY: Final = (
    "Supabase's database takes no writes ({}): maintenance, recovery, or a full disk there."
)
_LARGE: Final = "The request is too large for Supabase ({})."
_REFUSED: Final = "Supabase's database refuses this ({})."


def fault_of(status: int, body: bytes, retry_after: str = "") -> HostedFault | None:
    """None for a success. Details of the body are left out: they quote rows."""
    if status < _ERRORS:
        return None
    kind, sentence = _kind(_code(body), status)
    code = _code(body) or str(status)
    after = float(retry_after) if retry_after.isdigit() else None
    return kind(sentence.format(code), reason=code, retry_after_s=after)


def _code(body: bytes) -> str:
    """It stands first in PostgREST's objects, before what quotes rows."""
    found = _CODE.match(body)
    return found[1].decode() if found else ""


def _kind(code: str, status: int) -> tuple[type[HostedFault], str]:
    if code in {"PGRST202", "PGRST204", "PGRST205", "42P01", "42883", "42703", "3F000"}:
        return SchemaDiffers, _MIGRATE
    if code == "42501" or code.startswith("PGRST3"):
        return KeyRefused, _KEY
    if code == "25006":
        return HostedAway, _READ_ONLY
    if code.startswith(("22", "23")):
        return EntryRefused, _REFUSED
    return _kind_by_status(status)


def _kind_by_status(status: int) -> tuple[type[HostedFault], str]:
    if status in {401, 403}:
        return KeyRefused, _KEY
    if status == _PAYLOAD_TOO_LARGE:
        return TooLarge, _LARGE
    return HostedAway, _AWAY
