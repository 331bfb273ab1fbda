"""The MCP server: what a client is told at once, and what of its messages others have to see to. Pure: no trio, no clock, no I/O.

It knows both eras, decides per message which one is spoken, answers all but calls itself, and hands those on.
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
    as_object,
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
from .sink import Sink
from .subscriptions import Subscriptions
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
class CancelCall:
    """The client does not want the answer to this call any more."""

    id: Id


@structs.frozen
class ToolListWanted:
    """Somebody waits for the tool list and there is none yet: `offer` one."""


@structs.frozen
class RootsChanged:
    """The client's directories, as absolute paths."""

    paths: tuple[str, ...]


Effect = Call | CancelCall | ToolListWanted | RootsChanged


@structs.define(eq=False)
class Server:
    """One client's conversation, from its first line to its last. What it can answer by itself goes to `sink`."""

    sink: Sink
    listing: Listing | None = None
    client: str = ""
    _spoken: Dialect | None = None
    _waiting: dict[Id, tuple[Request, Dialect]] = attrs.field(
        factory=dict[Id, tuple[Request, Dialect]]
    )
    _subscriptions: Subscriptions = attrs.field(factory=Subscriptions)
    _has_roots: bool = False
    _roots_asked: int = 0

    def __repr__(self) -> str:
        version = "unspoken" if self._spoken is None else self._spoken.version
        return f"<Server {self.client or 'nobody'} {version} waiting={len(self._waiting)}>"

    def hear(self, message: Message) -> list[Effect]:
        """Take a message. Returns what others have to see to; every other answer is on its way."""
        match message:
            case Request():
                return self._request(message)
            case Notification():
                return self._notification(message)
            case Response():
                return self._response(message)
            case Fault():
                return self._say(
                    jsonrpc.error(message.id, message.code, message.message), message.id
                )

    def offer(self, listing: Listing) -> None:
        """Take a tool list: answer who waited for one and, if the list changed, tell who is to be told."""
        self.listing = listing
        for line in self._subscriptions.offer(listing, self._spoken):
            self.sink.put(line)
        for request, dialect in self._waiting.values():
            self.sink.put(self._listed(request, dialect, listing), request.id)
        self._waiting.clear()

    def continue_in(self, dialect: Dialect) -> None:
        """Go on with a conversation that another server has begun in this version."""
        self._spoken = self._spoken or dialect

    def farewell(self) -> None:
        """End the open subscriptions politely."""
        for id_, line in self._subscriptions.farewell():
            self.sink.put(line, id_)

    def _say(self, line: bytes, request: Id | None = None) -> list[Effect]:
        """Answer the request, or say something of our own; there is nothing left for others."""
        self.sink.put(line, request)
        return []

    # Requests

    def _request(self, request: Request) -> list[Effect]:
        try:
            if request.method == "tools/call":
                return self._call(request)
            params = read(request.params)
            if request.method == "initialize":
                return self._initialize(request, params)
            dialect = self._dialect(params.meta or {})
            return self._answer(request, params, dialect)
        except BadParams as fault:
            text = f"{request.method}: {fault}"
            return self._say(jsonrpc.error(request.id, jsonrpc.INVALID_PARAMS, text), request.id)
        except _WrongVersion as wrong:
            text = f"protocol version {wrong.wanted!r} is not spoken here"
            data = unsupported(wrong.wanted)
            line = jsonrpc.error(request.id, UNSUPPORTED_VERSION, text, data)
            return self._say(line, request.id)

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
                return self._say(static_answers.constant(request, dialect), request.id)

    def _initialize(self, request: Request, params: Params) -> list[Effect]:
        if not isinstance(params.version, str):
            raise BadParams("protocolVersion must be a string")
        self._spoken = negotiated(params.version)
        self.client = client_name(params.client)
        self._has_roots = "roots" in as_object(params.capabilities)
        return self._say(jsonrpc.answer(request.id, initialized(self._spoken)), request.id)

    def _list(self, request: Request, dialect: Dialect) -> list[Effect]:
        """Tools, or the prompts that are made from them."""
        if self.listing is None:
            self._waiting[request.id] = (request, dialect)
            return [ToolListWanted()]
        return self._say(self._listed(request, dialect, self.listing), request.id)

    def _listed(self, request: Request, dialect: Dialect, listing: Listing) -> bytes:
        self._subscriptions.note_listed(request.method, listing)
        return static_answers.from_listing(request, dialect, listing)

    def _listen(self, id_: Id, params: Params) -> list[Effect]:
        wishes = as_object(params.notifications)
        if wishes is not params.notifications:
            raise BadParams("notifications must be an object")
        if self._subscriptions.is_full:
            error = jsonrpc.error(id_, TOO_MANY_LISTENS, "too many open subscriptions")
            return self._say(error, id_)
        for line in self._subscriptions.listen(id_, wishes, self.listing):
            self.sink.put(line)
        return []

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
        if not self._subscriptions.cancel(id_) and self._waiting.pop(id_, None) is None:
            return [CancelCall(id_)]
        return []

    def _ask_roots(self) -> list[Effect]:
        if not self._has_roots or self._spoken is None or self._spoken.stateless:
            return []
        self._roots_asked += 1
        return self._say(jsonrpc.request(f"{_ROOTS_ID}{self._roots_asked}", "roots/list"))

    def _response(self, response: Response) -> list[Effect]:
        """Only the answer to the newest question counts."""
        if response.id != f"{_ROOTS_ID}{self._roots_asked}" or response.result is None:
            return []
        paths = paths_of(response.result)
        return [] if not paths else [RootsChanged(tuple(paths))]


class _WrongVersion(Exception):
    """A stateless request in a version that is not spoken here."""

    def __init__(self, wanted: str) -> None:
        super().__init__(wanted)
        self.wanted = wanted
