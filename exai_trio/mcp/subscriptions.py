"""Who is told that a list has changed: the tools, and the prompts that are made from them. Pure: no trio, no clock, no I/O.

Told is only what differs from what this client has heard, once.
"""

from collections.abc import Mapping
from typing import Any, Final

import attrs
import msgspec

from exai_trio import structs

from . import jsonrpc, prompts
from .jsonrpc import Id
from .tool_list import Listing
from .versions import STATELESS_VERSIONS, SUBSCRIPTION_KEY, Dialect

MAX_LISTENS: Final = 64
# What a client wishes to hear, and the list that it is about.
_WISHES: Final[Mapping[str, str]] = {
    "toolsListChanged": "tools",
    "promptsListChanged": "prompts",
}


@structs.define
class Subscriptions:
    """One client's open subscriptions, and what it was told last of each list."""

    _listens: dict[Id, tuple[str, ...]] = attrs.field(factory=dict[Id, tuple[str, ...]])
    _told: dict[str, object] = attrs.field(factory=dict[str, object])

    @property
    def is_full(self) -> bool:
        return len(self._listens) >= MAX_LISTENS

    def listen(self, id_: Id, wishes: Mapping[str, Any], listing: Listing | None) -> list[bytes]:
        """Open a subscription. Returns the acknowledgement, and what changed while nobody could be told."""
        granted = [wish for wish in _WISHES if wishes.get(wish) is True]
        self._listens[id_] = tuple(_WISHES[wish] for wish in granted)
        told = {"_meta": {SUBSCRIPTION_KEY: id_}, "notifications": dict.fromkeys(granted, True)}
        acknowledged = jsonrpc.notice("notifications/subscriptions/acknowledged", told)
        missed = [] if listing is None else self._changed(listing, by_handshake=False)
        return [acknowledged, *missed]

    def cancel(self, id_: Id) -> bool:
        """Whether it was one of ours."""
        return self._listens.pop(id_, None) is not None

    def note_listed(self, method: str, listing: Listing) -> None:
        """The client has been told this list: `tools/list` or `prompts/list`."""
        kind = method.removesuffix("/list")
        if kind in _WISHES.values():
            self._told[kind] = _mark(kind, listing)

    def offer(self, listing: Listing, spoken: Dialect | None) -> list[bytes]:
        """The notices that this list makes necessary."""
        return self._changed(listing, by_handshake=spoken is not None and not spoken.stateless)

    def _changed(self, listing: Listing, *, by_handshake: bool) -> list[bytes]:
        lines: list[bytes] = []
        for kind in _WISHES.values():
            notices = self._notices(kind, by_handshake=by_handshake)
            mark = _mark(kind, listing)
            if notices and self._told.setdefault(kind, mark) != mark:
                self._told[kind] = mark
                lines += notices
        return lines

    def _notices(self, kind: str, *, by_handshake: bool) -> list[bytes]:
        """One for each that can be told now; a list that nobody was told of counts from the first one who can be."""
        method = f"notifications/{kind}/list_changed"
        lines = [
            jsonrpc.notice(method, {"_meta": {SUBSCRIPTION_KEY: id_}})
            for id_, kinds in self._listens.items()
            if kind in kinds
        ]
        return [*lines, jsonrpc.notice(method)] if by_handshake and kind in self._told else lines

    def farewell(self) -> list[tuple[Id, bytes]]:
        """End the open subscriptions politely. Returns for each the id of its request, and its answer."""
        dialect = Dialect(STATELESS_VERSIONS[0])
        lines = [
            (id_, jsonrpc.answer(id_, dialect.result({"_meta": {SUBSCRIPTION_KEY: id_}})))
            for id_ in self._listens
        ]
        self._listens.clear()
        return lines


def _mark(kind: str, listing: Listing) -> object:
    """Equal marks mean equal lists."""
    if kind == "tools":
        return listing.hash
    return msgspec.json.encode(prompts.prompts(listing.tools))
