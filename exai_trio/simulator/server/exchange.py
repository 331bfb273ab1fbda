"""One HTTP request from its first header to the last byte of its answer, as an ASGI application.

Two legs: one carries out the steps of the answer, the other waits for the client to go away and then ends both, at once.
What the answer is has been decided before, by pure code.
"""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any, cast
from urllib.parse import parse_qsl

import trio
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send as ToClient

from exai_trio import structs

from ..chat.model_answer import Vendor
from ..chat.prompt import sha
from ..faults import BadDirectiveError, Fault
from ..json_fields import an_object, dumped
from ..state import BIG, SimulatorState, Visit
from ..vendors.error_bodies import Refused, glm_refusal, kimi_refusal
from .multipart import form_from
from .received_request import (
    JSON,
    Ask,
    Endpoint,
    asked_wrong,
    fault_for,
    masked,
    refused,
    unauthorised,
)
from .response_script import (
    COMMENT,
    HANG_COMMENT_EVERY,
    Cut,
    End,
    Hang,
    Send,
    Start,
    Step,
    Wait,
    body_steps,
)

log = logging.getLogger("exai.simulator")

MAX_BODY = 110 * 1024 * 1024
LOGGED_BODY = 1024 * 1024
TWIN_S = 0.2  # a client that gave up and asks again may be faster than the news of its leaving


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


@structs.frozen(kw_only=True)
class Exchange:
    """An endpoint of one service."""

    simulator_state: SimulatorState
    vendor: Vendor
    endpoint: Endpoint
    ended: Callable[[Visit], None]

    async def __call__(self, scope: Scope, receive: Receive, send: ToClient) -> None:
        visit = entered(self.simulator_state, scope, self.vendor)
        try:
            raw = await self._heard(visit, receive)
            await self._wait_twin_gone(visit)
            steps = reply(self.simulator_state, visit, self.endpoint, scope, raw)
            del raw
            await self._answer(visit, steps, scope, receive, send)
        except ClientGone:
            visit.disconnected = True
        finally:
            self.simulator_state.leave(visit, trio.current_time())
            self.ended(visit)

    async def _heard(self, visit: Visit, receive: Receive) -> bytes | None:
        """The body, or None when it is larger than any service takes; a big one waits for its turn."""
        size = visit.headers.get("content-length", "0")
        if size.isdecimal() and int(size) <= BIG:
            raw = await read_body(receive)
        else:
            async with self.simulator_state.big_bodies:
                raw = await read_body(receive)
        content_type = visit.headers.get("content-type", "")
        self.simulator_state.heard(
            visit, summary(content_type, raw), min(len(raw or b""), LOGGED_BODY)
        )
        return raw

    async def _wait_twin_gone(self, visit: Visit) -> None:
        twin = self.simulator_state.twin(visit, str(an_object(visit.body).get("request_id") or ""))
        if twin is not None:
            with trio.move_on_after(TWIN_S):
                await twin.ended.wait()

    async def _answer(
        self, visit: Visit, steps: Iterator[Step], scope: Scope, receive: Receive, send: ToClient
    ) -> None:
        transport = cast("trio.SocketStream", scope["state"]["transport"])
        try:
            async with trio.open_nursery() as legs:
                legs.start_soon(_watch, visit, receive, legs.cancel_scope)
                await play(visit, steps, send, transport)
                legs.cancel_scope.cancel(reason="the answer is complete")
        except* Exception:
            self.simulator_state.crashes += 1
            log.exception("the simulator itself failed")


def entered(simulator_state: SimulatorState, scope: Scope, vendor: Vendor | None) -> Visit:
    headers = dict(Headers(scope=scope).items())
    if "authorization" in headers:
        headers["authorization"] = masked(headers["authorization"])
    visit = Visit(
        number=simulator_state.next_number(),
        vendor=vendor,
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        at=trio.current_time(),
    )
    simulator_state.enter(visit)
    return visit


async def read_body(receive: Receive) -> bytes | None:
    """Raises: ClientGone. Reads to the end whatever the size, so that the client gets its refusal.
    Cancelling loses what was read."""
    body = bytearray()
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        size += len(message.get("body", b""))
        if size <= MAX_BODY:
            body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body) if size <= MAX_BODY else None


def summary(content_type: str, raw: bytes | None) -> object:
    """The body for the log: parsed if it is JSON of ordinary size, else what can be said about it."""
    if raw is None:
        return {"summary": "too large"}
    if not raw:
        return None
    parsed = parsed_object(raw) or {}
    if parsed and len(raw) <= LOGGED_BODY:
        return parsed
    said: dict[str, Any] = {"summary": content_type, "bytes": len(raw)}
    if "request_id" in parsed:
        said["request_id"] = parsed["request_id"]
    form = form_from(content_type, raw)
    if form is not None:
        said |= {"fields": form.fields, "filename": form.filename, "size": len(form.content)}
    return said


def parsed_object(raw: bytes) -> dict[str, Any] | None:
    """The JSON object that the body is, or None."""
    if not raw.lstrip().startswith(b"{"):
        return None
    try:
        return an_object(json.loads(raw))
    except (ValueError, RecursionError):
        # audit: empty-handler, because None is the answer: no JSON object
        return None


def reply(
    simulator_state: SimulatorState,
    visit: Visit,
    endpoint: Endpoint,
    scope: Scope,
    raw: bytes | None,
) -> Iterator[Step]:
    """The steps of the answer, whatever was asked."""
    vendor = visit.vendor or "glm"
    fault = Fault()
    try:
        refusal = unauthorised(vendor, Headers(scope=scope).get("authorization", ""))
        if refusal is not None:
            return refused(refusal, fault)
        ask = _asked(simulator_state, visit, scope, raw)
        fault = ask.fault
        return asked_wrong(vendor, fault) if fault.refuses() else endpoint(ask)
    except Refused as refusal_raised:
        return refused(refusal_raised.refusal, fault.without_wrong())
    except BadDirectiveError as error:
        body = {"error": {"code": "simulator", "type": "simulator", "message": str(error)}}
        return body_steps(400, JSON, dumped(body), Fault())
    except Exception:
        simulator_state.crashes += 1
        log.exception("the simulator itself failed")
        body = {"error": {"code": "simulator", "type": "simulator", "message": "crashed"}}
        return body_steps(500, JSON, dumped(body), Fault())


def _asked(simulator_state: SimulatorState, visit: Visit, scope: Scope, raw: bytes | None) -> Ask:
    """Raises: Refused, BadDirectiveError."""
    vendor = visit.vendor or "glm"
    if raw is None:
        raise Refused(glm_refusal("435") if vendor == "glm" else kimi_refusal("file_size"))
    content_type = visit.headers.get("content-type", "")
    form = form_from(content_type, raw)
    parsed = None if form else parsed_object(raw)
    body = parsed or {}
    key = visit.headers.get("idempotency-key") or sha(raw.decode("latin-1"))
    fault = fault_for(simulator_state, visit, body, key)
    if raw and form is None and parsed is None:
        bad = "the body is not a JSON object"
        raise Refused(
            glm_refusal("1210", bad) if vendor == "glm" else kimi_refusal("invalid", what=bad)
        )
    query = dict(parse_qsl(visit.query))
    params = query | {name: str(value) for name, value in scope.get("path_params", {}).items()}
    return Ask(
        simulator_state=simulator_state,
        visit=visit,
        vendor=vendor,
        params=params,
        body=body,
        form=form,
        fault=fault,
    )


async def _watch(visit: Visit, receive: Receive, legs: trio.CancelScope) -> None:
    """Wait until the client is gone, then end the answer."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
    visit.disconnected = not (visit.complete or visit.cut)
    legs.cancel(reason="the client went away")


async def play(
    visit: Visit, steps: Iterator[Step], send: ToClient, transport: trio.SocketStream
) -> None:
    """Carry out the steps. Leaving early, by cancellation or Cut, leaves the client with a broken answer."""
    for step in steps:
        match step:
            case Wait(seconds):
                await trio.sleep(seconds)
            case Start(status, headers):
                visit.status = status
                encoded = [(name.encode(), value.encode()) for name, value in headers]
                await send({"type": "http.response.start", "status": status, "headers": encoded})
            case Send(data):
                await send({"type": "http.response.body", "body": data, "more_body": True})
                visit.sent += len(data)
            case Hang(comments):
                await _hang(send, comments=comments)
            case Cut():
                visit.cut = True
                await trio.aclose_forcefully(transport)
                return
            case End():
                visit.complete = True
                await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _hang(send: ToClient, *, comments: bool) -> None:
    while comments:
        await send({"type": "http.response.body", "body": COMMENT, "more_body": True})
        await trio.sleep(HANG_COMMENT_EVERY)
    await trio.sleep_forever()
