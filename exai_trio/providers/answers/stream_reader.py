"""The body of a 200 read as a chat answer: bytes in, deltas out, every way of being no answer found. Pure.

A body is a stream of events, one JSON object (an error, or a whole answer of an endpoint that does not stream) or HTML;
its first byte tells which, since the Content-Type has been seen to lie.

What an answer needs is read strictly: its texts, its tool calls, its end. A fault in anything else costs that alone; and once
a finish reason has come the answer is whole, whatever follows or is missing behind it.
"""

from typing import Final

import attrs

from exai_trio import structs
from exai_trio.errors import BadAnswerError

from ..base import Delta, Finish, UsageDelta
from ..dialects.dialect import Dialect
from ..refusals.provider_errors import (
    Complaint,
    bad_answer,
    complaint_in,
    complaint_of,
    fault,
    verdict_by_status,
)
from . import chunk as chunks, finish_reasons
from .chunk import Choice, Chunk, Said
from .lenient_records import Unreadable
from .loose_json import NotJson
from .sse import EventReader, LineTooLong
from .text_and_thinking import Spoken
from .tool_calls import ToolCalls

NO_CHOICES: Final = "the answer holds no choices"
NO_ANSWER: Final = "the answer is not the JSON it should be"
CUT: Final = "the stream was cut before its end"
UNMARKED_THINKING: Final = "the model did not mark the end of its thinking, which is shown with it"
LARGEST_BODY: Final = 64 * 1024 * 1024  # bytes of an answer that is not streamed
_BOM: Final = b"\xef\xbb\xbf"
_END_MARKS: Final = (b"[DONE]", b"DONE")


@structs.define(kw_only=True)
class AnswerReader:
    """Feed it the body; `done` says that the answer is complete and the rest of the body does not matter.

    `finished`: a finish reason has come, and only usage and the end mark may still follow. `lost` has the names of fields that
    could not be read. Raises, from both methods: BadAnswerError for what is no answer, other ProviderErrors for complaints
    inside it.
    """

    dialect: Dialect
    model: str
    done: bool = attrs.field(default=False, init=False)
    lost: set[str] = attrs.field(factory=set[str], init=False)
    _events: EventReader = attrs.field(factory=EventReader, init=False)
    _spoken: Spoken = attrs.field(factory=Spoken, init=False)
    _calls: ToolCalls = attrs.field(factory=ToolCalls, init=False)
    _head: bytes = attrs.field(default=b"", init=False)
    _whole: bytearray | None = attrs.field(default=None, init=False)
    _aside: Complaint | None = attrs.field(default=None, init=False)
    _finish_reason: str = attrs.field(default="", init=False)
    _web_results: tuple[dict[str, object], ...] = attrs.field(default=(), init=False)
    _notices: list[str] = attrs.field(factory=list[str], init=False)
    _started: bool = attrs.field(default=False, init=False)
    _streams: bool = attrs.field(default=False, init=False)
    _called: bool = attrs.field(default=False, init=False)
    _saw_choices: bool = attrs.field(default=False, init=False)

    @property
    def finished(self) -> bool:
        return bool(self._finish_reason)

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
        """What is to be read, once it is more than white space and a byte order mark."""
        begun = (self._head + piece).lstrip()
        if _BOM.startswith(begun[:3]):
            self._head = begun
            if len(begun) < len(_BOM):
                return b""
            begun = begun[3:].lstrip()
        self._started = bool(begun)
        if begun[:1] in {b"{", b"[", b"<"}:
            self._whole = bytearray()
        return begun

    def _gather(self, piece: bytes) -> None:
        assert self._whole is not None  # noqa: S101  # for the type checkers: only called when it is there
        self._whole += piece
        if len(self._whole) > LARGEST_BODY:
            raise self._bad("the answer does not end", "too_large")

    def _event(self, data: bytes, deltas: list[Delta]) -> None:
        data = data.strip()
        if self.done or not data or data == b"null":
            return
        if data.startswith(b"{"):
            self._json_event(data, deltas)
        elif data.strip(b'"').upper() in _END_MARKS:
            self._finish(deltas)
        elif data.startswith(b"["):
            self._json_event(data, deltas)
        else:
            self._put_aside(complaint_in(200, data))

    def _json_event(self, data: bytes, deltas: list[Delta]) -> None:
        try:
            for chunk in self._chunks(data):
                self._chunk(chunk, data, deltas)
        except (Unreadable, NotJson) as error:
            if self.finished:
                self.lost.add("chunk")
                return
            what = "a chunk of the stream is not the JSON it should be"
            raise self._bad(what, "broken_json") from error

    def _chunks(self, data: bytes) -> list[Chunk]:
        lost: list[str] = []
        found = chunks.chunks(data, lost)
        if lost:
            self.lost.update(lost)
        return found

    def _chunk(self, chunk: Chunk, data: bytes, deltas: list[Delta]) -> None:
        if chunk.error:
            self._error(complaint_of(200, {"error": chunk.error}))
        if chunk.model:
            self.model = chunk.model
        if chunk.web_search:
            self._web_results = tuple(chunk.web_search)
        counted = chunk.counted
        if chunk.choices:
            self._choice(chunk.choices[0], deltas)
        elif counted is None:
            self._put_aside(complaint_in(200, data))
        if counted is not None:
            deltas.append(UsageDelta(counted.usage))

    def _error(self, complaint: Complaint) -> None:
        """An error inside the answer; behind its end it is told beside it."""
        if not self.finished:
            raise self._complaint(complaint)
        words = complaint.message or complaint.code or "no reason given"
        self._notices.append(f"{self.dialect.title} reported an error behind the answer: {words}")

    def _put_aside(self, complaint: Complaint) -> None:
        """What is no part of an answer may be the service's last words."""
        if complaint.message:
            self._aside = complaint

    def _choice(self, choice: Choice, deltas: list[Delta]) -> None:
        self._saw_choices = True
        if choice.delta is not None:
            self._streams = True
            self._said(choice.delta, deltas)
        elif choice.message is not None and not self._streams:
            self._said(choice.message, deltas)
        self._finish_reason = finish_reasons.reason_in(choice.finish_reason) or self._finish_reason

    def _said(self, said: Said, deltas: list[Delta]) -> None:
        if thoughts := said.reasoning_content or said.reasoning:
            self._spoken.think(self._thoughts_in(thoughts), deltas)
        content = said.content or said.refusal
        if isinstance(content, str):
            self._spoken.say(content, deltas)
        for sort, text in () if isinstance(content, str) else chunks.said(content):
            if sort == "thought":
                self._spoken.think(text, deltas)
            elif text:
                self._spoken.say(text, deltas)
        if said.tool_calls:
            self._calls.add(said.tool_calls)

    def _thoughts_in(self, content: object) -> str:
        try:
            return chunks.thoughts(content)
        except Unreadable:
            self.lost.add("reasoning")
            return ""

    def _whole_answer(self, body: bytes, deltas: list[Delta]) -> None:
        """Not a stream: a complaint, HTML, or a whole answer."""
        if body.startswith(b"<"):
            raise self._complaint(complaint_in(200, body))
        try:
            found = self._chunks(body)
            if not found:
                raise NotJson("empty list")  # noqa: TRY301 - one end for all that is no answer
            if not any(chunk.choices or chunk.error for chunk in found):
                raise self._complaint_or(body, NO_CHOICES, "no_choices")
            for chunk in found:
                self._chunk(chunk, b"", deltas)
        except Unreadable as error:
            raise self._complaint_or(body, NO_ANSWER, "broken_json") from error
        except NotJson as error:
            raise self._bad(NO_ANSWER, "broken_json") from error
        if self.finished:
            self._finish(deltas)

    def _complaint_or(self, body: bytes, what: str, reason: str) -> Exception:
        complaint = complaint_in(200, body)
        return self._complaint(complaint) if complaint.message else self._bad(what, reason)

    def _end_without_done(self, deltas: list[Delta]) -> None:
        if not self._started:
            raise self._bad("the answer was empty", "empty")
        if not self.finished:
            raise self._cut()
        self._finish(deltas)

    def _cut(self) -> Exception:
        """Broken off; if there are words that belong to no answer, they are why."""
        if self._events.aside.strip():
            self._put_aside(complaint_in(200, bytes(self._events.aside)))
        if self._aside is None:
            return self._bad(CUT, "cut")
        if self.dialect.judge(self._aside) or self._aside.code or self._aside.html:
            return self._complaint(self._aside)
        return self._bad(f"{CUT}; its last words: {self._aside.message}", "broken_json")

    def _finish(self, deltas: list[Delta]) -> None:
        self._spoken.end(deltas)
        if self.finished and self._finish_reason != "length" and self._spoken.unmark(deltas):
            self._notices.append(UNMARKED_THINKING)
        calls = self._calls.whole()
        self._called = bool(calls)
        deltas.extend(calls)
        self._refuse_faulty_finish()
        self.done = True
        deltas.append(
            Finish(
                reason=self._finish_reason,
                model=self.model,
                web_results=self._web_results,
                notices=tuple(self._notices),
            )
        )

    def _refuse_faulty_finish(self) -> None:
        reason, spoke = self._finish_reason, self._spoken.spoke or self._called
        verdict = finish_reasons.fault_of(reason, spoke=spoke)
        if verdict is not None:
            complaint = Complaint(status=200, code=reason, message="no answer")
            raise fault(self.dialect.title, complaint, verdict)
        if not self._saw_choices:
            raise self._no_answer(NO_CHOICES, "no_choices")
        if not reason:
            raise self._cut()
        if not spoke and reason == "length":
            what = "the output limit was used up before the answer began"
            raise self._bad(what, "length", max_attempts=1)
        if not spoke:
            raise self._bad("the answer was empty", "empty")

    def _no_answer(self, what: str, reason: str) -> Exception:
        return self._complaint(self._aside) if self._aside else self._bad(what, reason)

    def _complaint(self, complaint: Complaint) -> Exception:
        verdict = self.dialect.judge(complaint) or verdict_by_status(complaint)
        return fault(self.dialect.title, complaint, verdict)

    def _bad(self, what: str, reason: str, *, max_attempts: int | None = None) -> BadAnswerError:
        return bad_answer(self.dialect.title, what, reason, max_attempts=max_attempts)
