#!/usr/bin/env -S python3 -P
"""Drives real editors (Claude Code, Codex, opencode) over a scripted model on loopback, side by side: seven steps each by the shim,
four by a URL.

`scripts/editors [--only NAME]`. Nothing leaves this machine after the install: where it may, the run has a network of its own
with nothing but loopback. Exit codes: 0 every step held, or no npm (said as skipped), 1 not.
"""

import argparse
import shutil
import sys
import time
from pathlib import Path

import attrs
import trio

sys.path.insert(0, str(Path(__file__).parent))

from chaos.children import EXAI, free_port
from chaos.world import World, open_world
from editors.agents import Place, Start, running
from editors.alone import alone
from editors.claude_code import ClaudeCode
from editors.codex import Codex
from editors.install import install, versions
from editors.model import Model
from editors.opencode import OpenCode
from editors.steps import STEPS, URL_STEPS, Broken, Desk, Step, daemon_ended

_ROOT = Path(__file__).parent.parent
AGENTS: dict[str, Start] = {
    "claude-code": ClaudeCode.start,
    "codex": Codex.start,
    "opencode": OpenCode.start,
}
_NOT_OURS = ("HOME", "PATH", "LANG", "TMPDIR", "VIRTUAL_ENV")


@attrs.define
class Report:
    """`rows`: editor, step, seconds, what was wrong or ""."""

    rows: list[tuple[str, str, float, str]] = attrs.field(factory=list)

    def add(self, editor: str, step: str, took: float, wrong: str) -> None:
        self.rows.append((editor, step, took, wrong))
        print(f"{editor:12} {step:14} {took:6.1f} s  {wrong or 'ok'}", flush=True)

    @property
    def broken(self) -> int:
        return sum(1 for row in self.rows if row[3])


async def drive(name: str, installed: Path, report: Report) -> None:
    """One editor by its shim, then by a URL."""
    async with open_world(ENABLED_TOOLS="", EXAI_WS_AUTOSTART="true") as world, daemon_ended(world):
        await _through(STEPS, name, world, installed, report)
    async with open_world(ENABLED_TOOLS="", EXAI_MCP_PORT=free_port()) as world:
        await world.daemon()
        await _through(URL_STEPS, name, world, installed, report)


async def _through(
    steps: tuple[tuple[str, Step], ...], name: str, world: World, installed: Path, report: Report
) -> None:
    """All of these steps; after a broken one it goes on with the next."""
    model = Model()
    origin = await world.nursery.start(model.serve)
    by_url = await _printed(world, name) if steps is URL_STEPS else ""
    place = _place(world, installed, origin, by_url)
    async with running(AGENTS[name], place) as agent:
        desk = Desk(agent, model, world)
        for step, act in steps:
            began = trio.current_time()
            wrong = ""
            try:
                await act(desk)
            except (Broken, trio.TooSlowError, trio.BrokenResourceError) as fault:
                wrong = str(fault) or repr(fault)
            report.add(name, step, trio.current_time() - began, wrong)


async def _printed(world: World, name: str) -> str:
    """What a user of this editor is told to write. Raises CalledProcessError."""
    command = (*EXAI, "config", "--mcp", "http", name.partition("-")[0])
    done = await trio.run_process(command, env=world.environment(), capture_stdout=True)
    return bytes(done.stdout or b"").decode()


def _place(world: World, installed: Path, origin: str, by_url: str) -> Place:
    project = world.home / "project"
    project.mkdir()
    env = world.environment()
    settings = {key: value for key, value in env.items() if key not in _NOT_OURS}
    own = {key: value for key, value in env.items() if key in _NOT_OURS}
    return Place(world.home, project, installed, origin, (*EXAI, "shim"), settings, own, by_url)


async def drive_all(names: list[str], installed: Path, report: Report) -> None:
    async with trio.open_nursery() as editors:
        for name in names:
            editors.start_soon(drive, name, installed, report)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=sorted(AGENTS), action="append")
    chosen = parser.parse_args().only or sorted(AGENTS)
    if not shutil.which("npm"):
        print("editors: skipped, there is no npm on this machine")
        return 0
    installed = install(_ROOT / ".editors")
    alone()
    there = versions(installed)
    print("editors:", ", ".join(f"{name} {version}" for name, version in there.items()), flush=True)
    report, began = Report(), time.perf_counter()
    trio.run(drive_all, [name for name in chosen if name in there], installed, report)
    took = time.perf_counter() - began
    print(f"editors: {len(report.rows)} steps, {report.broken} broken, {took:.0f} s")
    return 1 if report.broken or not report.rows else 0


if __name__ == "__main__":
    sys.exit(main())
