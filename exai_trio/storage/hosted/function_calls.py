"""Calls of the hosted database's functions: each is one transaction there, takes one object, and may be asked again."""

from typing import Any, Final, Protocol, TypeVar

import msgspec

from exai_trio import structs
from exai_trio.storage.hosted.guarded_remote import GuardedRemote

T = TypeVar("T")

CALL_S: Final = 5.0


class Functions(Protocol):
    """Raises HostedFault; cancelling leaves open whether what was asked has been done."""

    async def call(self, function: str, body: bytes, returned: type[T]) -> T:
        """What the function returns; anything that is not of that type is a fault."""
        ...


@structs.frozen(eq=False)
class GuardedFunctions:
    """Those of the other side of a mirror, under its breaker and a deadline."""

    _remote: GuardedRemote

    async def call(self, function: str, body: bytes, returned: type[T]) -> T:
        """Raises HostedFault. Cancelling leaves open whether it has been done."""
        return await self._remote.ask(
            lambda remote: remote.call(function, body, returned), within_s=CALL_S
        )


async def ask(functions: Functions, function: str, returned: Any, **body: Any) -> Any:
    """What it returns of that type, `body` being the one object that it takes. Raises HostedFault; cancelling leaves it done or not."""
    return await functions.call(function, msgspec.json.encode({"body": body}), returned)
