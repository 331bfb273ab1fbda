"""The body of a 200 read as a chat answer: bytes in, deltas out, every way of being no answer found. Pure.

A body is a stream of events, one JSON object (an error, or a whole answer of an endpoint that does not stream) or HTML;
its first byte tells which, since the Content-Type has been seen to lie.
"""

from typing import Final

import attrs
import msgspec

from exai_trio import structs
from exai_trio.errors import BadAnswerError

from .base import Delta, Finish, ReasoningDelta, TextDelta, ToolCallDelta, UsageDelta
from .chunk import CallPiece, Choice, Chunk, Function, Said, arguments_text
from .dialect import Dialect
from .faults import Complaint, bad_answer, complaint_in, complaint_of, fault, verdict_by_status
from .sse import EventReader, LineTooLong
from .think_tags import ThinkTags

NO_CHOICES: Final = "the answer holds no choices"
CUT: Final = "the stream was cut before its end"
DONE: Final = b"[DONE]"
LARGEST_BODY: Final = 64 * 1024 * 1024  # bytes of an answer that is not streamed
_NO_FUNCTION: Final = Function()
_DECODER: Final = msgspec.json.Decoder(Chunk)


@structs.define(kw_only=True)
class AnswerReader:
    """Feed it the body; `done` says that the answer is complete and the rest of the body does not matter.

    Raises, from both methods: BadAnswerError for what is no answer, other ProviderErrors for complaints inside it.
    """

    dialect: Dialect
    model: str
    done: bool = attrs.field(default=False, init=False)
    _events: EventReader = attrs.field(factory=EventReader, init=False)
    _tags: ThinkTags = attrs.field(factory=ThinkTags, init=False)
    _whole: bytearray | None = attrs.field(default=None, init=False)
    _started: bool = attrs.field(default=False, init=False)
    _finish_reason: str | None = attrs.field(default=None, init=False)
    _web_results: tuple[dict[str, object], ...] = attrs.field(default=(), init=False)
    _said_something: bool = attrs.field(default=False, init=False)
    _saw_choices: bool = attrs.field(default=False, init=False)

    def feed(self, piece: bytes) -> list[Delta]:
        if not self._started:
            piece = self._start(piece)
        if self._whole is not None:
            self._gather(piece)
            return []
        deltas: list[Delta] = []
        try:
            for event in self._events.feed(piece):
                self._event(event, deltas)
        except LineTooLong as error:
            raise self._bad("a line of the stream does not end", "broken_json") from error
        return deltas

    def end(self) -> list[Delta]:
        """The body is over. Ends with a Finish, or raises: a body that just stops was cut."""
        deltas: list[Delta] = []
        if self._whole is not None:
            self._whole_answer(bytes(self._whole), deltas)
        else:
            for event in self._events.end():
                self._event(event, deltas)
        if not self.done:
            self._end_without_done(deltas)
        return deltas

    def _start(self, piece: bytes) -> bytes:
        piece = piece.lstrip()
        self._started = bool(piece)
        if piece[:1] in {b"{", b"[", b"<"}:
            self._whole = bytearray()
        return piece

    def _gather(self, piece: bytes) -> None:
        assert self._whole is not None  # noqa: S101  # for the type checkers: only called when it is there
        self._whole += piece
        if len(self._whole) > LARGEST_BODY:
            raise self._bad("the answer does not end", "too_large")

    def _event(self, data: bytes, deltas: list[Delta]) -> None:
        if self.done or not data:
            return
        if data == DONE:
            self._finish(deltas)
            return
        try:
            chunk = _DECODER.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._bad(
                "a chunk of the stream is not the JSON it should be", "broken_json"
            ) from error
        self._chunk(chunk, deltas)

    def _chunk(self, chunk: Chunk, deltas: list[Delta]) -> None:
        if chunk.error:
            raise self._complaint(complaint_of(200, {"error": chunk.error}))
        if chunk.model:
            self.model = chunk.model
        if chunk.web_search:
            self._web_results = tuple(chunk.web_search)
        if chunk.choices:
            self._choice(chunk.choices[0], deltas)
        counted = chunk.counted
        if counted is not None:
            deltas.append(UsageDelta(counted.usage))

    def _choice(self, choice: Choice, deltas: list[Delta]) -> None:
        self._saw_choices = True
        said = choice.delta or choice.message
        if said is not None:
            self._said(said, deltas)
        if choice.finish_reason:
            self._finish_reason = choice.finish_reason

    def _said(self, said: Said, deltas: list[Delta]) -> None:
        if said.reasoning_content:
            deltas.append(ReasoningDelta(said.reasoning_content))
        if said.content:
            self._note(self._tags.feed(said.content), deltas)
        if said.tool_calls:
            self._said_something = True
            deltas.extend(_tool_call(piece, place) for place, piece in enumerate(said.tool_calls))

    def _note(self, found: list[TextDelta | ReasoningDelta], deltas: list[Delta]) -> None:
        deltas.extend(found)
        if not self._said_something:
            texts = [delta.text for delta in found if isinstance(delta, TextDelta)]
            self._said_something = any(not text.isspace() for text in texts)

    def _whole_answer(self, body: bytes, deltas: list[Delta]) -> None:
        """Not a stream: a complaint, HTML, or a whole answer."""
        try:
            chunk = _DECODER.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if body.startswith(b"<"):
                raise self._complaint(complaint_in(200, body)) from error
            raise self._bad("the answer is not the JSON it should be", "broken_json") from error
        if not (chunk.choices or chunk.error):
            complaint = complaint_in(200, body)
            raise (
                self._complaint(complaint)
                if complaint.message
                else self._bad(NO_CHOICES, "no_choices")
            )
        self._chunk(chunk, deltas)
        if self._finish_reason:
            self._finish(deltas)

    def _end_without_done(self, deltas: list[Delta]) -> None:
        if not self._started:
            raise self._bad("the answer was empty", "empty")
        if self._finish_reason is None or self.dialect.ends_with_done:
            raise self._bad(CUT, "cut")
        self._finish(deltas)

    def _finish(self, deltas: list[Delta]) -> None:
        self._note(self._tags.end(), deltas)
        self._refuse_faulty_finish()
        self.done = True
        deltas.append(
            Finish(
                reason=self._finish_reason or "", model=self.model, web_results=self._web_results
            )
        )

    def _refuse_faulty_finish(self) -> None:
        reason = self._finish_reason
        verdict = self.dialect.finish_faults.get(reason or "")
        if verdict is not None:
            raise fault(
                self.dialect.title,
                Complaint(status=200, code=reason or "", message="no answer"),
                verdict,
            )
        if not self._saw_choices:
            raise self._bad(NO_CHOICES, "no_choices")
        if reason is None:
            raise self._bad(CUT, "cut")
        if not self._said_something and reason == "length":
            raise self._bad(
                "the output limit was used up before the answer began", "length", max_attempts=1
            )
        if not self._said_something:
            raise self._bad("the answer was empty", "empty")

    def _complaint(self, complaint: Complaint) -> Exception:
        verdict = self.dialect.judge(complaint) or verdict_by_status(complaint)
        return fault(self.dialect.title, complaint, verdict)

    def _bad(self, what: str, reason: str, *, max_attempts: int | None = None) -> BadAnswerError:
        return bad_answer(self.dialect.title, what, reason, max_attempts=max_attempts)


def _tool_call(piece: CallPiece, place: int) -> ToolCallDelta:
    """`place` in the chunk stands in for an index that some services leave out."""
    function = piece.function or _NO_FUNCTION
    return ToolCallDelta(
        index=place if piece.index is None else piece.index,
        id=piece.id or "",
        name=function.name or "",
        arguments=arguments_text(function.arguments),
        type=piece.type or "",
    )
