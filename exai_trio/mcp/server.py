"""The front desk: what an MCP client is told without asking any daemon. Pure: a line in, effects out; no I/O.

It knows both eras, decides per message which one is spoken, answers all but tools/call itself, and hands calls on.
"""

from typing import Any, Final

import attrs

from exai_trio import structs

from . import jsonrpc, resources, static_answers
from .jsonrpc import Fault, Id, Message, Notification, Request, Response
from .params import (
    BadParams,
    Call,
    Params,
    as_id,
    client_name,
    client_of,
    own_key,
    paths_of,
    read,
    read_call,
    read_wish,
    token_of,
    trace_of,
)
from .subscriptions import Changes
from .tool_list import Listing
from .versions import (
    CAPABILITIES_KEY,
    STATELESS_VERSIONS,
    UNSPOKEN,
    UNSUPPORTED_VERSION,
    VERSION_KEY,
    Dialect,
    initialized,
    negotiated,
    unsupported,
)

TOO_MANY_LISTENS: Final = (
    1001  # our own codes lie outside what JSON-RPC and MCP keep for themselves
)
_ROOTS_ID: Final = "exai-roots-"


@structs.frozen
class Say:
    """Write this line."""

    line: bytes


@structs.frozen
class Withdraw:
    """The client does not want the answer to this call any more."""

    id: Id


@structs.frozen
class WantListing:
    """Somebody waits for the tool list and there is none yet: `offer` one."""


@structs.frozen
class RootsGiven:
    """The client's directories, as absolute paths."""

    paths: tuple[str, ...]


Effect = Say | Call | Withdraw | WantListing | RootsGiven


@structs.define
class FrontDesk:
    """One client's conversation, from its first line to its last."""

    listing: Listing | None = None
    client: str = ""
    _spoken: Dialect | None = None
    _waiting: dict[Id, tuple[Request, Dialect]] = attrs.field(
        factory=dict[Id, tuple[Request, Dialect]]
    )
    _changes: Changes = attrs.field(factory=Changes)
    _has_roots: bool = False
    _roots_asked: int = 0

    def hear(self, message: Message) -> list[Effect]:
        match message:
            case Request():
                return self._request(message)
            case Notification():
                return self._notification(message)
            case Response():
                return self._response(message)
            case Fault():
                return [Say(jsonrpc.error(message.id, message.code, message.message))]

    def offer(self, listing: Listing) -> list[bytes]:
        """Take a tool list. Returns the answers that waited for one and, if the list changed, who is to be told."""
        self.listing = listing
        lines = self._changes.offer(listing, self._spoken)
        for request, dialect in self._waiting.values():
            lines.append(self._listed(request, dialect, listing))
        self._waiting.clear()
        return lines

    def farewell(self) -> list[bytes]:
        """End the open subscriptions politely."""
        return self._changes.farewell()

    # Requests

    def _request(self, request: Request) -> list[Effect]:
        try:
            if request.method == "tools/call":
                return self._call(request)
            params = read(request.params)
            if request.method == "initialize":
                return self._initialize(request, params)
            dialect = self._dialect(params.meta)
            return self._answer(request, params, dialect)
        except BadParams as fault:
            return [
                Say(jsonrpc.error(request.id, jsonrpc.INVALID_PARAMS, f"{request.method}: {fault}"))
            ]
        except _WrongVersion as wrong:
            text = f"protocol version {wrong.wanted!r} is not spoken here"
            data = unsupported(wrong.wanted)
            return [Say(jsonrpc.error(request.id, UNSUPPORTED_VERSION, text, data))]

    def _dialect(self, meta: dict[str, Any]) -> Dialect:
        """The version this request is made in; the first one that needs no handshake opens the stateless era."""
        if VERSION_KEY not in meta and CAPABILITIES_KEY not in meta:
            if self._spoken is not None and self._spoken.stateless:
                raise BadParams(f"params._meta lacks {VERSION_KEY} and {CAPABILITIES_KEY}")
            return self._spoken or UNSPOKEN
        return self._stateless(meta)

    def _stateless(self, meta: dict[str, Any]) -> Dialect:
        for key in (VERSION_KEY, CAPABILITIES_KEY):
            if key not in meta:
                raise BadParams(f"params._meta lacks {key}")
        version = meta[VERSION_KEY]
        if not isinstance(version, str):
            raise BadParams(f"params._meta {VERSION_KEY} must be a string")
        if version not in STATELESS_VERSIONS:
            raise _WrongVersion(version)
        dialect = Dialect(version)
        self._spoken = self._spoken or dialect
        self.client = client_of(meta) or self.client
        return dialect

    def _answer(self, request: Request, params: Params, dialect: Dialect) -> list[Effect]:
        match request.method, dialect.stateless:
            case (("tools/list" | "prompts/list" | "prompts/get"), _):
                return self._list(request, dialect)
            case "server/discover", False:
                raise BadParams(f"params._meta lacks {VERSION_KEY} and {CAPABILITIES_KEY}")
            case "subscriptions/listen", True:
                return self._listen(request.id, params)
            case method, _ if method in resources.METHODS:
                return [resources.asked(method, request.id, read_wish(request.params), dialect)]
            case _:
                return [Say(static_answers.constant(request, dialect))]

    def _initialize(self, request: Request, params: Params) -> list[Effect]:
        if not isinstance(params.version, str):
            raise BadParams("protocolVersion must be a string")
        self._spoken = negotiated(params.version)
        self.client = client_name(params.client)
        self._has_roots = "roots" in (params.capabilities or {})
        return [Say(jsonrpc.answer(request.id, initialized(self._spoken)))]

    def _list(self, request: Request, dialect: Dialect) -> list[Effect]:
        """Tools, or the prompts that are made from them."""
        if self.listing is None:
            self._waiting[request.id] = (request, dialect)
            return [WantListing()]
        return [Say(self._listed(request, dialect, self.listing))]

    def _listed(self, request: Request, dialect: Dialect, listing: Listing) -> bytes:
        self._changes.note_listed(request.method, listing)
        return static_answers.from_listing(request, dialect, listing)

    def _listen(self, id_: Id, params: Params) -> list[Effect]:
        if params.notifications is None:
            raise BadParams("notifications must be an object")
        if self._changes.is_full:
            return [Say(jsonrpc.error(id_, TOO_MANY_LISTENS, "too many open subscriptions"))]
        lines = self._changes.listen(id_, params.notifications, self.listing)
        return [Say(line) for line in lines]

    def _call(self, request: Request) -> list[Effect]:
        name, arguments, meta = read_call(request.params)
        dialect = self._dialect(meta)
        return [
            Call(
                id=request.id,
                name=name,
                arguments=arguments,
                dialect=dialect,
                client=self.client,
                key=own_key(meta),
                token=token_of(meta),
                trace=trace_of(meta),
            )
        ]

    # Notifications and answers

    def _notification(self, notification: Notification) -> list[Effect]:
        match notification.method:
            case "notifications/cancelled":
                return self._cancelled(notification)
            case "notifications/initialized" | "notifications/roots/list_changed":
                return self._ask_roots()
            case _:
                return []

    def _cancelled(self, notification: Notification) -> list[Effect]:
        try:
            id_ = as_id(read(notification.params).request_id)
        except BadParams:
            # audit: empty-handler, because a notification has no answer, and this one names no call
            return []
        if id_ is None:
            return []
        if not self._changes.cancel(id_) and self._waiting.pop(id_, None) is None:
            return [Withdraw(id_)]
        return []

    def _ask_roots(self) -> list[Effect]:
        if not self._has_roots or self._spoken is None or self._spoken.stateless:
            return []
        self._roots_asked += 1
        return [Say(jsonrpc.request(f"{_ROOTS_ID}{self._roots_asked}", "roots/list"))]

    def _response(self, response: Response) -> list[Effect]:
        """Only the answer to the newest question counts."""
        if response.id != f"{_ROOTS_ID}{self._roots_asked}" or response.result is None:
            return []
        paths = paths_of(response.result)
        return [] if not paths else [RootsGiven(tuple(paths))]


class _WrongVersion(Exception):
    """A stateless request in a version that is not spoken here."""

    def __init__(self, wanted: str) -> None:
        super().__init__(wanted)
        self.wanted = wanted
