"""The two private buckets that objects are kept in, through the Storage API."""

from typing import Final

import msgspec

from exai_trio.storage.supabase.http_requests import Requests

BUCKETS: Final = ("exai-files", "exai-bus")
_PATH: Final = "/storage/v1/bucket"


class _Bucket(msgspec.Struct):
    """What is asked of one that is there."""

    id: str
    public: bool = False
    file_size_limit: int | None = None


async def make_missing(requests: Requests) -> tuple[str, ...]:
    """The names of those that were made. Raises HostedFault; cancelling leaves each made or not made."""
    there = await _there(requests)
    missing = tuple(name for name in BUCKETS if name not in there)
    for name in missing:
        body = {"id": name, "name": name, "public": False}
        await requests.post(_PATH, msgspec.json.encode(body), msgspec.Raw)
    return missing


async def faults(requests: Requests) -> tuple[str, ...]:
    """What is wrong with them, one sentence each. Raises HostedFault; cancelling changes nothing."""
    there = await _there(requests)
    missing = [
        f"The bucket {name} is missing: run `exai storage migrate`."
        for name in BUCKETS
        if name not in there
    ]
    public = [
        f"The bucket {name} is public: make it private in Supabase's Storage settings."
        for name in BUCKETS
        if name in there and there[name].public
    ]
    return (*missing, *public)


async def limits(requests: Requests, wanted: int) -> tuple[str, ...]:
    """The buckets that take no file of so many bytes, one sentence each. Raises HostedFault; cancelling changes nothing."""
    there = await _there(requests)
    known = {name: there[name].file_size_limit for name in BUCKETS if name in there}
    return tuple(
        f"The bucket {name} takes files of {limit / 2**20:.0f} MiB at most"
        for name, limit in known.items()
        if limit and limit < wanted
    )


async def _there(requests: Requests) -> dict[str, _Bucket]:
    return {each.id: each for each in await requests.get(_PATH, list[_Bucket])}
