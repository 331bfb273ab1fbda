"""The Provider of one OpenAI-compatible service: its dialect spoken over HTTP.

No retries, permits or counting here.
"""

import math
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import ProviderError, ProviderRefusedError

from .answers import records
from .answers.lenient_records import Unreadable
from .answers.records import odd_fields
from .answers.stream_reader import AnswerReader
from .answers.text_and_thinking import joined
from .base import (
    Balance,
    Capability,
    ChatRequest,
    Delta,
    Finish,
    Message,
    OfferedModel,
    ProviderFile,
)
from .catalogue import ModelInfo
from .dialects.dialect import Asked, Dialect
from .dialects.request_body import encoded, safe_id
from .dialects.upload import open_form
from .openai_compatible import Body, Method, Service
from .refusals.provider_errors import Complaint, bad_answer, complaint_in, fault, verdict_by_status

T = TypeVar("T")
REST_S: Final = 3.0  # for what follows a finished answer


@structs.define(kw_only=True)
class Adapter:
    """`describe` gives what the catalogue knows of a model.
    Cancelling a request closes its socket, as the Provider's contract has it."""

    service: Service
    describe: Callable[[str], ModelInfo]

    @property
    def dialect(self) -> Dialect:
        return self.service.endpoint.dialect

    @property
    def capabilities(self) -> frozenset[Capability]:
        return self.dialect.capabilities

    @asynccontextmanager
    async def chat(self, request: ChatRequest) -> AsyncGenerator[AsyncIterator[Delta]]:
        known = self.describe(request.model)
        sent = attrs.evolve(request, model=known.served_as) if known.served_as else request
        content = encoded(self.dialect.chat_body(sent, known))
        headers = {"Accept": "text/event-stream", **_signed(request.idempotency_key)}
        async with self.service.open(
            "POST", "/chat/completions", content=content, headers=headers
        ) as body:
            yield Deltas(body=body, reader=AnswerReader(dialect=self.dialect, model=request.model))

    async def count_tokens(self, model: str, messages: tuple[Message, ...]) -> int:
        ask, read = self.dialect.count_tokens, self.dialect.counted_tokens
        if ask is None or read is None:
            raise self._unsupported("count_tokens")
        return self._read(read, await self._ask(ask(model, messages)))

    async def list_models(self) -> tuple[OfferedModel, ...]:
        self._require("list_models")
        said = self._read(records.models, await self._fetch("GET", "/models"))
        return tuple(model.offered for model in said.data or ())

    async def upload_file(
        self, path: Path, purpose: str, opened: BufferedReader | None = None
    ) -> ProviderFile:
        """Raises: ProviderRefusedError, also where the file cannot be read or the service would not take its size."""
        self._require("files")
        try:
            return await self._upload(path, purpose, opened)
        except OSError as error:
            raise ProviderRefusedError(
                f"{path.name} could not be read: {error.strerror}"
            ) from error

    async def list_files(self) -> tuple[ProviderFile, ...]:
        self._require("files")
        said = self._read(records.files, await self._fetch("GET", "/files"))
        return tuple(file.ours for file in said.data or ())

    async def read_file(self, file_id: str) -> bytes:
        self._require("files")
        path = f"/files/{quote(file_id, safe='')}/content"
        if self.dialect.file_text is None:
            return await self._fetch_raw("GET", path)
        return self.dialect.file_text(await self._fetch("GET", path))

    async def delete_file(self, file_id: str) -> None:
        self._require("files")
        await self._fetch("DELETE", f"/files/{quote(file_id, safe='')}")

    async def web_search(
        self, query: str, options: Mapping[str, Any], key: str = ""
    ) -> tuple[Mapping[str, Any], ...]:
        ask, read = self.dialect.web_search, self.dialect.found
        if ask is None or read is None:
            raise self._unsupported("web_search")
        return self._read(read, await self._ask(ask(query, options), key))

    async def balance(self) -> Balance:
        if self.dialect.balance_of is None:
            raise self._unsupported("balance")
        return self._read(self.dialect.balance_of, await self._fetch("GET", "/users/me/balance"))

    async def _upload(
        self, path: Path, purpose: str, opened: BufferedReader | None
    ) -> ProviderFile:
        whole_s = (
            self.service.endpoint.limits.stream_s
        )  # the answer begins only after all has been sent
        async with open_form(path, purpose, opened) as form:
            self._check_size(path.name, form.content_size)
            async with self.service.open(
                "POST", "/files", content=form, headers=form.headers, first_byte_s=whole_s
            ) as body:
                said = await body.read_all()
        self._refuse_error_inside(said)
        return self._read(records.file, said).ours

    def _check_size(self, name: str, size: int) -> None:
        limit = self.dialect.file_limit
        if not size or (limit is not None and size > limit):
            raise ProviderRefusedError(
                f"{name} has {size} bytes; {self.dialect.title} takes 1 to {limit}"
            )

    async def _ask(self, asked: Asked, key: str = "") -> bytes:
        return await self._fetch("POST", asked.path, encoded(asked.body or {}), key)

    async def _fetch(
        self, method: Method, path: str, content: bytes | None = None, key: str = ""
    ) -> bytes:
        said = await self._fetch_raw(method, path, content, key)
        self._refuse_error_inside(said)
        return said

    async def _fetch_raw(
        self, method: Method, path: str, content: bytes | None = None, key: str = ""
    ) -> bytes:
        async with self.service.open(method, path, content=content, headers=_signed(key)) as body:
            return await body.read_all()

    def _refuse_error_inside(self, said: bytes) -> None:
        """GLM has been seen answering 200 with an error in it."""
        complaint = records.error_in(said)
        if complaint is not None:
            raise self._fault(complaint)

    def _read(self, read: Callable[[bytes], T], said: bytes) -> T:
        try:
            return read(said)
        except Unreadable as error:
            complaint = complaint_in(200, said)
            if complaint.message and (complaint.code or complaint.html):
                raise self._fault(complaint) from error
            what = f"the answer is not the JSON it should be ({error})"
            raise bad_answer(self.dialect.title, what, "broken_json") from error

    def _fault(self, complaint: Complaint) -> ProviderError:
        verdict = self.dialect.judge(complaint) or verdict_by_status(complaint)
        return fault(self.dialect.title, complaint, verdict)

    def _require(self, capability: Capability) -> None:
        if capability not in self.capabilities:
            raise self._unsupported(capability)

    def _unsupported(self, capability: Capability) -> ProviderRefusedError:
        return ProviderRefusedError(
            f"{self.dialect.title} offers no {capability.replace('_', ' ')}",
            details={"reason": "unsupported"},
        )


def _signed(key: str) -> dict[str, str]:
    """The header by which a service knows another attempt of the same request."""
    return {"Idempotency-Key": safe_id(key)} if key else {}


@structs.define(kw_only=True)
class Deltas:
    """The deltas of one answer, read as they are asked for."""

    _body: Body = attrs.field(alias="body")
    _reader: AnswerReader = attrs.field(alias="reader")
    _ready: deque[Delta] = attrs.field(factory=deque[Delta], init=False)
    _over: bool = attrs.field(default=False, init=False)
    _rest_until: float = attrs.field(default=math.inf, init=False)

    def __aiter__(self) -> AsyncIterator[Delta]:
        return self

    async def __anext__(self) -> Delta:
        while not self._ready:
            if self._over:
                raise StopAsyncIteration
            await self._read_on()
        return self._ready.popleft()

    async def _read_on(self) -> None:
        piece = await (self._rest() if self._reader.finished else self._body.next_piece())
        came = self._reader.end() if piece is None else self._reader.feed(piece)
        self._ready.extend(joined(came))
        self._over = piece is None or self._reader.done
        if self._over:
            self._body.finish()
            self._add_headers()
            self._tell_lost()

    async def _rest(self) -> bytes | None:
        """What follows a finished answer: usage and the end mark, as far as they come in time. The answer is whole anyway."""
        self._body.finish()
        if math.isinf(self._rest_until):
            self._rest_until = trio.current_time() + REST_S
        with trio.move_on_at(self._rest_until), suppress(ProviderError):
            # audit: suppress, because the answer is whole without what follows it
            return await self._body.next_piece()
        return None

    def _tell_lost(self) -> None:
        if self._reader.lost:
            odd_fields(self._reader.dialect.title, sorted(self._reader.lost))

    def _add_headers(self) -> None:
        last = self._ready[-1] if self._ready else None
        if isinstance(last, Finish):
            self._ready[-1] = attrs.evolve(last, headers=self._body.headers)
