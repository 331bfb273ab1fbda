"""What a tool is: a name, one class for its arguments, and a small async function.

No tool is defined here.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import attrs
import trio

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.errors import ExaiError, NotFoundError
from exai_trio.storage.base import Conversations, Owned, Threads, TokenRatios
from exai_trio.storage.sqlite.token_ratios import MemoryRatios
from exai_trio.tools import statuses
from exai_trio.tools.asking.calibration import Calibration
from exai_trio.tools.files.upload_desk import UploadDesk
from exai_trio.tools.statuses import Status
from exai_trio.workspace.path_checks import PathUse
from exai_trio.workspace.read import FileReader, Found

if TYPE_CHECKING:  # the shim lists tools without ever asking a model
    from exai_trio.observability.events import RequestEnded
    from exai_trio.providers.gateway import Gateway

Visibility = Literal["essential", "core", "advanced", "full"]


@structs.frozen(kw_only=True)
class Answer:
    """What a tool returns. `text` goes to the caller as it is; `structured` is the same as data; `metadata` is for programs."""

    text: str
    structured: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    usage: Mapping[str, Any] | None = None


@structs.frozen(kw_only=True)
class CallReport:
    """What has become of a call: its answer, its fault, or else what it does now. `elapsed_s` is seconds since it began."""

    call_id: str
    tool: str
    answer: Answer | None = None
    fault: ExaiError | None = None
    elapsed_s: float = 0.0
    doing: str = ""


class CallArchive(Protocol):
    """The calls of all windows, running and ended."""

    async def report(self, call_id: str, principal: str, wait_s: float) -> CallReport:
        """What has become of that call of this principal, once it has ended or `wait_s` have passed.

        Raises: NotFoundError if there is none, or it is another principal's; StorageError. Cancelling leaves the call as it is.
        """
        ...


@structs.frozen
class NoCalls:
    """The archive of a place that keeps no calls."""

    async def report(self, call_id: str, principal: str, wait_s: float) -> CallReport:  # noqa: ASYNC910 - as the protocol has it
        raise NotFoundError(f"No call is kept here, nor is {call_id!r}.")


class DaemonView(Protocol):
    """What the diagnostic tools may see of the daemon they run in; every method is a plain read, safe at any time."""

    def health(self) -> dict[str, Any]:
        """The same facts as the health file and /health: version, uptime, sessions, permits, providers, tools. They are counts and
        states of the daemon, and name nothing that is anybody's."""
        ...

    async def log_tail(self, lines: int, principal: str) -> list[str]:
        """The newest `lines` lines of the daemon's log that this principal may see, oldest first, already redacted; none if it cannot be
        read. Cancelling leaves reading to its thread."""
        ...


def _reader(services: "Services") -> FileReader:
    return FileReader(secret_files=services.config.secret_files)


@structs.frozen(kw_only=True)
class Services:
    """What all tools share; built once by the daemon. `is_clock_trusted`: what is old by `now` may be deleted."""

    config: Config
    gateway: "Gateway"
    conversations: Conversations
    threads: Owned[Threads]
    daemon: DaemonView
    tool_names: Callable[[], tuple[str, ...]]
    now: Callable[[], float]  # unix seconds, UTC
    is_clock_trusted: Callable[[], bool] = lambda: True
    uploads: UploadDesk
    calibration: Calibration = attrs.field(factory=Calibration)
    ratios: TokenRatios = attrs.field(factory=MemoryRatios)
    calls: CallArchive = attrs.field(factory=NoCalls)
    files: FileReader = attrs.Factory(_reader, takes_self=True)
    # Traces at once, each in a process of its own that may use up a core and 768 MiB.
    source_readers: trio.CapacityLimiter = attrs.field(factory=partial(trio.CapacityLimiter, 2))


class Caller(Protocol):
    """The running call as a tool sees it."""

    @property
    def request_id(self) -> str: ...

    @property
    def session_id(self) -> str: ...

    @property
    def principal(self) -> str:
        """Whose call it is, and so whose data it sees."""
        ...

    @property
    def attempt(self) -> int:
        """1 in the first run. A later run may find what an earlier one has stored."""
        ...

    @property
    def idempotency_key(self) -> str:
        """The same for every run of this call, and of no other call; goes to the provider."""
        ...

    @property
    def answer_within_s(self) -> float:
        """Seconds from now in which an answer still reaches the one who asks."""
        ...

    @property
    def roots(self) -> tuple[Path, ...]:
        """Directories whose files the tool may read, resolved."""
        ...

    @property
    def found(self) -> Found:
        """Files that the call names: those that were found readable, and like no secret, just before it was accepted. Others may be,
        too."""
        ...

    def stage(self, stage: str, message: str) -> None:
        """Say truly what the call does now. Never blocks; may be dropped."""
        ...

    def chunk(self, text: str) -> None:
        """Hand on a piece of the answer; reaches only clients that asked for a stream. Never blocks."""
        ...

    def waited_for_provider(self, provider: str, seconds: float) -> None:
        """Note how long the call waited for a provider's permit."""
        ...

    def latency_metrics(self) -> dict[str, Any]:
        """How long it has taken so far and waited for what, in milliseconds, as an answer tells it."""
        ...

    def requested(self, request: "RequestEnded") -> None:
        """Note that a request of it at a provider has ended just now."""
        ...

    def flows(self, until: float) -> float:
        """A model's text begins to come, and may come until then. Returns when to cut it; times are trio's."""
        ...


Run = Callable[[Any, Caller, Services], Awaitable[Answer]]


@structs.frozen(kw_only=True)
class Deprecation:
    """That a tool is to be used no more: the version `since` which, and what to use `instead`. It works as before."""

    since: str
    instead: str

    def said_of(self, name: str) -> str:
        """One sentence, for its description and its answers."""
        return f"{name} is deprecated since {self.since}: use {self.instead} instead."


# What all simple tools answer in (`envelope`); short on purpose: every tool list carries it once per tool.
OUTPUT_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "status": statuses.schema((Status.SUCCESS, Status.CONTINUATION_AVAILABLE, Status.PARTIAL)),
        "content": {"type": "string"},
    },
    "required": ["status", "content"],
}


@structs.frozen(kw_only=True)
class Tool:
    """A tool. `arguments` is a frozen attrs class: its schema, its validation and its documentation come from it.

    A field without a default is required. Kinds of fields: text, int, float, bool, Literal, tuple of them, dict of plain JSON;
    `X | None = None` is an X that may be left out.

    `repeatable`: running it twice is safe. `cacheable`: identical calls at the same time may share one run.
    `reports`: it only tells what there is, and so does its work also where nothing can be written down.
    `punctual`: it keeps to `answer_within_s` by itself, and is never answered with a handle in its place.
    `paths` are the arguments that name files, and what for: what can be refused of them is, before the call is accepted.
    `tolerated` are argument names that old clients send and that are dropped silently. `seldom` are arguments that only the
    full profile lists; they are taken all the same. One that is `deprecated` says so in its description and its answers, and only
    the full profile lists it.
    Cancelling `run` ends its requests and processes; what it has stored by then stays.
    """

    name: str
    description: str
    arguments: type
    run: Run
    repeatable: bool
    kind: Literal["simple", "workflow"] = "simple"
    visibility: Visibility = "full"
    asks_model: bool = False
    read_only: bool = True
    cacheable: bool = False
    reports: bool = False
    punctual: bool = False
    output_schema: Mapping[str, Any] | None = OUTPUT_SCHEMA
    paths: Mapping[str, PathUse] = attrs.field(factory=dict[str, PathUse])
    tolerated: frozenset[str] = frozenset()
    seldom: frozenset[str] = frozenset()
    extra_arguments_allowed: bool = False
    deprecated: Deprecation | None = None
