"""What a store offers to the daemons that share it."""

from typing import Protocol

from exai_trio.storage.shared.shared_breakers import SharedBreakers
from exai_trio.storage.shared.shared_calls import SharedCalls
from exai_trio.storage.shared.shared_permits import SharedPermits


class SharedParts(Protocol):
    @property
    def calls(self) -> SharedCalls: ...

    @property
    def permits(self) -> SharedPermits: ...

    @property
    def breakers(self) -> SharedBreakers: ...
