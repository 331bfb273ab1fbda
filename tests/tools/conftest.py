"""What the tools need around them, as fakes: a gateway over the real router, a daemon's facts, a caller, a clock."""

from collections.abc import Mapping
from functools import cache, partial
from typing import Any

import attrs
import pytest
import trio
from files_in_memory import in_memory

from exai_trio.config import Config
from exai_trio.daemon.app import build
from exai_trio.daemon.backends import Backends, Models
from exai_trio.observability.redaction import KnownSecrets
from exai_trio.providers.base import Usage
from exai_trio.providers.catalogue import load_catalogue
from exai_trio.providers.routing import Router
from exai_trio.storage.memory.conversation_store import MemoryStore
from exai_trio.storage.sqlite.token_ratios import MemoryRatios
from exai_trio.system.clock import unix_now
from exai_trio.tools.arguments import parse
from exai_trio.tools.asking.calibration import Calibration
from exai_trio.tools.prompts import Room
from exai_trio.tools.registry import BUILT_IN, Registry
from exai_trio.workspace.read import NOTHING_FOUND, Found

# What a workflow tool's steps need besides the step itself.
_FOUND = {"findings": "found something"}
_DOCGEN = {
    "document_complexity": True,
    "document_flow": True,
    "update_existing": False,
    "comments_on_complex_logic": True,
    "num_files_documented": 2,
    "total_files_to_document": 2,
}
REQUIRED = {
    **dict.fromkeys(
        ["analyze", "debug", "codereview", "refactor", "secaudit", "testgen", "thinkdeep"], _FOUND
    ),
    "precommit": _FOUND,
    "planner": {},
    "consensus": {"models": ["glm-4.6", "kimi-k2.6"]},
    "tracer": _FOUND | {"trace_mode": "precision", "target_description": "main"},
    "docgen": _FOUND | _DOCGEN,
}

REMEDIES = {"glm": "set GLM_API_KEY", "kimi": "set KIMI_API_KEY"}


@attrs.frozen(kw_only=True)
class FakeAnswer:
    """A ChatAnswer with the fields that the gateway promises."""

    text: str = "the answer"
    reasoning: str = ""
    tool_calls: tuple[Any, ...] = ()
    finish_reason: str = "stop"
    usage: Usage = attrs.field(
        factory=partial(Usage, input_tokens=100, output_tokens=20, cached_tokens=64)
    )
    cost: float | None = 0.001
    currency: str = "USD"
    model_requested: str = ""
    model_used: str
    provider: str
    notice: str | None = None
    web_results: tuple[Mapping[str, Any], ...] = ()
    simulated: bool = False
    rounds: int = 1
    cut: str = ""


@attrs.define
class FakeGateway:
    """Answers at once, and remembers what it was asked."""

    configured: tuple[str, ...] = ("glm", "kimi")
    answer: dict[str, Any] = attrs.field(factory=dict)
    fault: Exception | None = None
    # By model: seconds before it answers, seconds for which it speaks, what it answers, with what it fails.
    # `counting`: how many tokens it counts for each that is estimated.
    counting: dict[str, float] = attrs.field(factory=dict)
    slow: dict[str, float] = attrs.field(factory=dict)
    speaking: dict[str, float] = attrs.field(factory=dict)
    answers: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    faults: dict[str, Exception] = attrs.field(factory=dict)
    requests: list[Any] = attrs.field(factory=list)
    refreshed: int = 0
    looked: int = 0
    keys: KnownSecrets = attrs.field(factory=KnownSecrets)
    known: Any = attrs.field(factory=cache(load_catalogue))
    base_url: str = "https://models.example/v1"

    @property
    def router(self):
        return Router(catalogue=self.known, configured=self.configured, remedies=REMEDIES)

    async def look_again(self):
        await trio.lowlevel.checkpoint()
        self.looked += 1

    def choose(self, model, **need):
        return self.router.choose(model, **need)

    async def chat(self, choice, request, listener):
        await trio.lowlevel.checkpoint()
        self.requests.append(request)
        name = choice.model.name
        if name in self.slow:
            await trio.sleep(self.slow[name])
        if fault := self.faults.get(name, self.fault):
            raise fault
        if name in self.speaking:
            listener.flows(trio.current_time() + 300)
            await trio.sleep(self.speaking[name])
        listener.stage("streaming", "1 token")
        listener.chunk("the ")
        facts = {"model_used": choice.model.name, "provider": choice.provider}
        if name in self.counting:
            facts["usage"] = Usage(
                input_tokens=int(Room().estimate(request.messages) * self.counting[name])
            )
        return FakeAnswer(
            **(facts | {"notice": choice.notice} | self.answers.get(name, self.answer))
        )

    def models(self):
        return tuple(m for m in self.router.catalogue.models if m.provider in self.configured)

    def catalogue(self):
        return self.router.catalogue.models

    def providers(self):
        return tuple(
            {
                "name": name,
                "configured": name in self.configured,
                "base_url": self.base_url,
                "capabilities": ["chat", "files"],
                "remedy": None if name in self.configured else REMEDIES[name],
                "models": ["m1", "m2"],
                "breakers": {"glm/glm-4.6": "open"} if name == "glm" else {},
            }
            for name in REMEDIES
        )

    def permits(self):
        return {}

    async def refresh_models(self):
        await trio.lowlevel.checkpoint()
        self.refreshed += 1


@attrs.define
class FakeDaemon:
    """A daemon's facts; `facts` replaces them."""

    facts: dict[str, Any] = attrs.field(
        factory=lambda: {
            "status": "healthy",
            "version": "9.9.9",
            "boot_id": "b00t",
            "uptime_s": 75.0,
            "sessions": 2,
            "connections": 3,
            "calls": {"running": 1, "finished": 5, "failed": 0},
            "permits": {
                "global": {"expected": 24, "current": 23, "waiting": 0},
                "providers": {"glm": {"expected": 4, "current": 4, "waiting": 0}},
            },
            "tool_count": 2,
            "draining": False,
        }
    )
    log: list[str] = attrs.field(factory=lambda: [f"line {n}" for n in range(1, 101)])

    def health(self):
        return dict(self.facts)

    async def log_tail(self, lines, principal):
        return self.log[len(self.log) - lines :]


@attrs.define
class FakeCaller:
    """A running call."""

    roots: tuple[Any, ...] = ()
    found: Found = NOTHING_FOUND
    request_id: str = "r1"
    session_id: str = "s1"
    principal: str = "owner"
    attempt: int = 1
    idempotency_key: str = "s1:r1"
    answer_within_s: float = 60.0
    said: list[Any] = attrs.field(factory=list)

    def stage(self, stage, message):
        self.said.append((stage, message))

    def chunk(self, text):
        self.said.append(text)

    def waited_for_provider(self, provider, seconds):
        self.said.append((provider, seconds))

    def latency_metrics(self):
        return {"latency_ms": 5.0, "global_sem_wait_ms": 1.0, "provider_sem_wait_ms": 2.0}

    def requested(self, request):
        del request

    def flows(self, until):
        return until


@attrs.define
class Clock:
    now: float = 1_000_000.0

    def __call__(self):
        return self.now


@attrs.define
class Bench:
    """Everything a tool is run with; `call` runs one by name, as the daemon does."""

    gateway: FakeGateway = attrs.field(factory=FakeGateway)
    daemon: FakeDaemon = attrs.field(factory=FakeDaemon)
    caller: FakeCaller = attrs.field(factory=FakeCaller)
    clock: Clock = attrs.field(factory=Clock)
    config: Config = attrs.field(factory=Config)
    store: Any = attrs.field(factory=MemoryStore)
    threads: Any = None  # another place than the store
    calibration: Any = attrs.field(factory=Calibration)
    ratios: Any = attrs.field(factory=MemoryRatios)
    files: Any = attrs.field(factory=partial(in_memory, unix_now))
    calls: int = 0

    @property
    def services(self):
        """As a daemon makes them of this; what it tells of itself is a fake, too."""
        backends = Backends(
            models=Models(gateway=self.gateway),
            conversations=self.store,
            threads=self.threads or self.store,
            files=self.files,
            ratios=self.ratios,
            now=self.clock,
        )
        made = build(self.config, backends, port=0).environment.services
        return attrs.evolve(made, daemon=self.daemon, calibration=self.calibration)

    async def call(self, name, **arguments):
        """Each is another call, and so has a key of its own."""
        self.calls += 1
        key = f"s1:r{self.calls}"
        return await self.run_again(
            name, attrs.evolve(self.caller, idempotency_key=key), **arguments
        )

    async def run_again(self, name, caller, **arguments):
        """A run of this caller's call, maybe not the first."""
        tool = Registry(tools=BUILT_IN).get(name)
        return await tool.run(parse(tool, arguments), caller, self.services)

    async def step(self, name, number=1, total=3, **arguments):
        """A step of a workflow tool, more to come unless it is the last; gives what the caller gets, as data."""
        given = {
            "step": f"text of step {number}",
            "step_number": number,
            "total_steps": total,
            "next_step_required": number < total,
            **(REQUIRED[name]),
            **arguments,
        }
        return (await self.call(name, **given)).structured

    async def say(self, prompt, **arguments):
        """A chat call; gives what the caller gets, as data."""
        return (await self.call("chat", prompt=prompt, **arguments)).structured


@pytest.fixture
def bench():
    return Bench()
