"""Objects in a private bucket, streamed both ways through the Storage API: a name is a hash, a content is never held whole.

What the Storage API answers stands in the body: HTTP's status is 400 for most of it.
"""

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

import msgspec

from exai_trio import structs
from exai_trio.storage.contracts.file_objects import ObjectFacts
from exai_trio.storage.hosted.hosted_faults import HostedAway, HostedFault, KeyRefused, TooLarge
from exai_trio.storage.supabase.http_requests import Requests, Streamed, decoded

_TYPE: Final = "application/octet-stream"
_ERRORS: Final = 400
_NOT_THAT_FAR: Final = 416
_PAGE: Final = 1_000


class _Said(msgspec.Struct, rename={"status": "statusCode"}):
    """What is asked of such a body; newer servers have the name in `code`."""

    status: str | int = ""
    error: str = ""
    code: str = ""

    @property
    def names(self) -> frozenset[str]:
        return frozenset({str(self.status), self.error, self.code})


class _Info(msgspec.Struct):
    """What is asked of one that is there."""

    size: int


class _Listed(msgspec.Struct):
    """What is asked of each in a list."""

    name: str
    created_at: datetime
    metadata: _Info


_THERE: Final = frozenset({"409", "KeyAlreadyExists", "Duplicate"})
_MISSING: Final = frozenset({"404", "NoSuchKey", "not_found"})
_TOO_LARGE: Final = frozenset({"413", "EntityTooLarge"})
_REFUSED: Final = frozenset({"401", "403", "AccessDenied", "InvalidJWT"})


@structs.frozen(eq=False)
class SupabaseObjects:
    """The objects of one bucket. Every method raises HostedFault; cancelling leaves open whether what was asked has been done."""

    requests: Requests
    bucket: str

    async def put(self, name: str, size: int, content: AsyncIterable[bytes]) -> None:
        """Keep so many bytes under that name; one that is there already stays as it is."""
        answer = await self.requests.stream_up(self._path(name), size, content, _TYPE)
        said = _said(answer)
        if said is not None and not said.names & _THERE:
            raise _fault(answer, said)

    @asynccontextmanager
    async def open(self, name: str, offset: int = 0) -> AsyncGenerator[AsyncIterable[bytes] | None]:
        """The bytes from there on, in pieces; None if there is no such object, or nothing of it beyond the offset."""
        headers = {"range": f"bytes={offset}-"} if offset else {}
        async with self.requests.stream_down(self._path(name), headers) as streamed:
            if streamed.pieces is not None:
                yield streamed.pieces
                return
            said = _said(streamed)
            if streamed.status != _NOT_THAT_FAR and (said is None or not said.names & _MISSING):
                raise _fault(streamed, said)
            yield None

    async def size(self, name: str) -> int | None:
        """In bytes; None if there is no such object."""
        answer = await self.requests.look(f"/storage/v1/object/info/{self.bucket}/{name}")
        said = _said(answer)
        if said is None:
            return decoded(answer.body, _Info).size
        if said.names & _MISSING:
            return None
        raise _fault(answer, said)

    async def delete(self, name: str) -> bool:
        """Whether it was there."""
        answer = await self.requests.remove(self._path(name))
        said = _said(answer)
        if said is None or said.names & _MISSING:
            return said is None
        raise _fault(answer, said)

    async def listed(self) -> tuple[ObjectFacts, ...]:
        """All, the oldest first."""
        found: list[ObjectFacts] = []
        path = f"/storage/v1/object/list/{self.bucket}"
        order = {"column": "created_at", "order": "asc"}
        while len(found) % _PAGE == 0:
            asked = {"prefix": "", "limit": _PAGE, "offset": len(found), "sortBy": order}
            page = await self.requests.post(path, msgspec.json.encode(asked), list[_Listed])
            found += map(_facts, page)
            if not page:
                break
        return tuple(found)

    def _path(self, name: str) -> str:
        return f"/storage/v1/object/{self.bucket}/{name}"


def _facts(listed: _Listed) -> ObjectFacts:
    return ObjectFacts(
        sha256=listed.name,
        file_id=listed.name,
        size=listed.metadata.size,
        stored_at=listed.created_at.timestamp(),
    )


def _said(answer: Streamed) -> _Said | None:
    """None of a success."""
    if answer.status < _ERRORS:
        return None
    try:
        return msgspec.json.decode(answer.body, type=_Said)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Said(status=answer.status)  # HTTP's status says it where the body does not


def _fault(answer: Streamed, said: _Said | None) -> HostedFault:
    names = said.names if said else frozenset[str]()
    reason = f"{said.error or said.code or said.status}" if said else f"{answer.status}"
    if names & _TOO_LARGE:
        return TooLarge(f"Supabase's Storage takes no file of this size ({reason}).", reason=reason)
    if names & _REFUSED or answer.status in {401, 403}:
        return KeyRefused(
            f"Supabase's Storage refuses the key ({reason}): check SUPABASE_KEY.", reason=reason
        )
    return HostedAway(
        f"Supabase's Storage cannot be used now ({reason}); the file stays on this machine.",
        reason=reason,
    )
