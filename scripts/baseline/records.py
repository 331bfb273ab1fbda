"""What was measured, as values and as a file. Nothing is measured here."""

import hashlib
import os
import platform
import subprocess
from pathlib import Path
from typing import Final

import attrs
import msgspec

from .wrong import Wrong

SCHEMA: Final = "exai-baseline/1"
ROOT: Final = Path(__file__).resolve().parents[2]


@attrs.frozen(kw_only=True)
class Machine:
    """Where it was measured; `id` tells one machine from another and names none."""

    id: str
    cores: int
    system: str
    python: str


@attrs.frozen(kw_only=True)
class Run:
    """One call. A run counts if `ok`; else `reason` says why it does not. Spans are milliseconds; None was not measured."""

    tool: str
    ok: bool
    reason: str = ""
    code: str = ""
    right: bool = False
    total_ms: float | None = None
    global_wait_ms: float | None = None
    provider_wait_ms: float | None = None
    processing_ms: float | None = None
    first_chunk_ms: float | None = None
    own_ms: float | None = None
    model: str = ""
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    currency: str = ""
    requests: int | None = None
    simulated: bool = False


@attrs.frozen(kw_only=True)
class Skipped:
    """A tool that was not measured, and why."""

    tool: str
    reason: str


@attrs.frozen(kw_only=True)
class Baseline:
    """`source` is how it came about: "simulated", "live" or "watched"; `at` is unix seconds."""

    schema: str = SCHEMA
    source: str
    at: float
    revision: str
    machine: Machine
    runs: tuple[Run, ...]
    skipped: tuple[Skipped, ...] = ()

    def by_tool(self):
        """The runs of each tool, in the order in which the tools came."""
        found = {}
        for run in self.runs:
            found.setdefault(run.tool, []).append(run)
        return found


def this_machine():
    facts = f"{platform.node()} {platform.machine()} {_processor()}"
    return Machine(
        id=hashlib.sha256(facts.encode()).hexdigest()[:12],
        cores=os.cpu_count() or 1,
        system=platform.system(),
        python=platform.python_version(),
    )


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith("model name")), "")


def revision(tree=ROOT):
    """The commit of a tree, with + where files have changed since; "unknown" outside of a repository."""
    said = subprocess.run(
        ["git", "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )
    return said.stdout.strip() or "unknown"


def encoded(baseline):
    return msgspec.json.format(msgspec.json.encode(baseline), indent=1) + b"\n"


def write(path, baseline):
    """Whole, or not at all."""
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_bytes(encoded(baseline))
        new.replace(path)
    except OSError as fault:
        new.unlink(missing_ok=True)
        raise Wrong(f"{path}: cannot be written: {fault.strerror}") from fault


def read(path):
    """Raises Wrong for what is no baseline of this schema."""
    try:
        data = path.read_bytes()
    except OSError as fault:
        raise Wrong(f"{path}: cannot be read: {fault.strerror}") from fault
    return decoded(data, path)


def decoded(data, where):
    try:
        schema = msgspec.json.decode(data, type=dict).get("schema")
        if schema != SCHEMA:
            raise Wrong(f"{where}: schema is {schema!r}; allowed: {SCHEMA!r}")
        return msgspec.json.decode(data, type=Baseline)
    except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
        raise Wrong(f"{where}: is no baseline: {fault}") from fault
