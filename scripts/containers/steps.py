"""What a check does to the services, one function a step; a fault says what did not hold."""

import json
import signal
import statistics
import subprocess
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import trio
from chaos.children import EXAI, environment, start_child
from chaos.editor import Answer, Editor
from chaos.provider import fetch

from .canaries import KEY, TOKEN
from .image import IMAGE
from .services import DAEMON, Services

PORT: Final = 8079
_HEALTH_PORT: Final = 8082
_LONG_S: Final = 60.0
_HOG: Final = (
    "import time\nheld = []\nwhile True:\n    held.append(bytearray(4_000_000)); time.sleep(0.01)\n"
)


class Broken(Exception):
    """Something that must hold does not; the text says what was seen."""


@attrs.define(eq=False)
class Bench:
    """What the steps share. `home` is the home of the shims outside, where no daemon may ever be started."""

    services: Services
    nursery: trio.Nursery
    home: Path
    figures: dict[str, str] = attrs.field(factory=dict)

    @asynccontextmanager
    async def editor(self, *, port: int = PORT) -> AsyncGenerator[Editor]:
        """An editor outside, with the configuration that is printed for a container. Nothing of it is left."""
        env = environment(
            self.home, **(_printed(self.home) | {"EXAI_WS_PORT": port, "EXAI_WS_TOKEN": TOKEN})
        )
        async with _greeted(self.nursery, (*EXAI, "shim"), env, self.home) as editor:
            yield editor


@asynccontextmanager
async def _greeted(
    nursery: trio.Nursery, command: tuple[str, ...], env: dict[str, str], cwd: Path
) -> AsyncGenerator[Editor]:
    child = await start_child(nursery, command, env, cwd)
    editor = Editor(child)
    nursery.start_soon(editor.run)  # noqa: ASYNC113  # greeting waits for it
    try:
        await editor.greet()
        yield editor
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 10):
            await child.kill()


def _printed(home: Path) -> dict[str, str]:
    """The environment that `exai config --mcp claude --container` prints."""
    command = (*EXAI, "config", "--mcp", "claude", "--container")
    said = subprocess.run(
        command, env=environment(home), cwd=home, check=True, capture_output=True, text=True
    )
    printed: dict[str, str] = json.loads(said.stdout)["env"]
    return printed


async def ask(editor: Editor, tool: str = "test_echo", **arguments: Any) -> Answer:
    """Raises Broken if it is no success within a minute."""
    answer = await editor.answer(await editor.call(tool, **arguments), within=_LONG_S)
    return good(answer, tool)


def good(answer: Answer | None, what: str) -> Answer:
    """Raises Broken."""
    if answer is None or answer.code:
        raise Broken(f"{what}: {'no answer' if answer is None else answer.text[:300]}")
    return answer


async def _wait_running() -> None:
    """Return once a call runs in the daemon. Raises trio.TooSlowError."""
    with trio.fail_after(_LONG_S):
        while not (await fetch(_HEALTH_PORT, "/health"))["calls"]["running"]:  # noqa: ASYNC110  # another process's
            await trio.sleep(0.05)


async def through_a_proxy(bench: Bench) -> None:
    """A client whose connection passes a proxy, which changes nothing but the port."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    async with trio.open_nursery() as proxies:
        proxies.start_soon(partial(trio.serve_listeners, _forward, listeners))
        async with bench.editor(port=port) as editor:
            await ask(editor, prompt="through a proxy")
        proxies.cancel_scope.cancel(reason="the step is over")


async def _forward(inner: trio.SocketStream) -> None:
    outer = await trio.open_tcp_stream("127.0.0.1", PORT)
    async with outer, trio.open_nursery() as ways:
        ways.start_soon(_pump, inner, outer)
        await _pump(outer, inner)
        ways.cancel_scope.cancel(reason="one side has ended")


async def _pump(source: trio.SocketStream, sink: trio.SocketStream) -> None:
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        async for data in source:
            await sink.send_all(data)


async def by_stdio(bench: Bench) -> None:
    """An editor that starts a container for its shim."""
    services = bench.services
    command = services.engine.compose_command(
        *("--profile", "stdio", "run", "--rm", "-T", "--no-deps", "shim")
    )
    env = services.engine.environment | services.settings
    async with _greeted(bench.nursery, command, env, bench.home) as editor:
        await ask(editor, prompt="from a container")
        await editor.child.process.stdin.aclose()
        await editor.child.wait()


async def shown_log(bench: Bench) -> None:
    """What the daemon's log file in the volume holds, the container's log shows."""
    kept = next(bench.services.volume.rglob("ws_daemon.log")).read_text(encoding="utf-8")
    shown = await bench.services.logs()
    missing = [line for line in kept.splitlines()[-20:] if line not in shown]
    if not kept or missing:
        raise Broken(f"the container's log lacks {missing[:1] or 'everything'}")


async def restarts(bench: Bench, times: int) -> None:
    """Each time the container's own daemon answers, and none is started outside."""
    async with bench.editor() as editor:
        for number in range(times):
            await bench.services.podman("restart", "-t", "20", DAEMON)
            await ask(editor, prompt=f"after restart {number}")
    if (bench.home / "exai" / "state" / "daemon.lock").exists():
        raise Broken("a daemon was started outside of the container")


async def kills(bench: Bench, times: int) -> None:
    """kill -9 in the middle of a call: it is answered all the same, and soon."""
    waits: list[float] = []
    async with bench.editor() as editor:
        for number in range(times):
            calls = [await editor.call("test_echo", prompt=f"{number}", delay_ms=500)]
            await _wait_running()
            killed = trio.current_time()
            await bench.services.signal(signal.SIGKILL)
            calls.append(await editor.call("test_echo", prompt=f"next {number}"))
            for call in calls:
                answer = good(await editor.answer(call, within=_LONG_S), f"kill {number}")
            waits.append(answer.at - killed)
            await bench.services.wait_healthy()
        if editor.unasked:
            raise Broken(f"answered twice: {editor.unasked}")
    waits.sort()
    p99 = waits[min(len(waits) - 1, round(len(waits) * 0.99))]
    bench.figures["killed to next answer"] = (
        f"p50 {statistics.median(waits):.2f} s (goal 3), p99 {p99:.2f} s (goal 5), {times} kills"
    )


async def frozen(bench: Bench) -> None:
    """A stopped daemon is unhealthy, and healthy again when it goes on."""
    await bench.services.signal(signal.SIGSTOP)
    try:
        if await bench.services.healthy():
            raise Broken("a stopped daemon counts as healthy")
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 10):
            await bench.services.signal(signal.SIGCONT)
    await bench.services.wait_healthy()


async def out_of_memory(bench: Bench) -> None:
    """The kernel kills the daemon for the container's limit; an accepted call is answered after it."""
    services = bench.services
    before = await services.pid()
    async with bench.editor() as editor:
        call = await editor.call("test_echo", prompt="survives", delay_ms=3000)
        await _wait_running()
        await trio.Path(f"/proc/{before}/oom_score_adj").write_text("1000")
        await services.podman("exec", "-d", DAEMON, "python", "-c", _HOG)
        with trio.move_on_after(_LONG_S):
            while await services.pid() in {before, 0}:  # noqa: ASYNC110  # another process's
                await trio.sleep(0.1)
        await services.wait_healthy()
        good(await editor.answer(call, within=_LONG_S), "the call over the memory limit")
    if await services.pid() == before:
        raise Broken("the memory limit did not hold")


async def full_volume(bench: Bench) -> None:
    """A volume without room refuses in words; with room again all goes on."""
    filler = bench.services.volume / "filler"
    async with bench.editor() as editor:
        _fill(filler)
        refused = None
        for number in range(50):  # what is reserved for the end is used up first
            answer = await editor.answer(
                await editor.call("test_echo", prompt="x" * 200_000 + str(number)), within=_LONG_S
            )
            if answer is None or answer.code:
                refused = answer
                break
        filler.unlink()
        if refused is not None and "full" not in refused.text:
            raise Broken(f"a full volume: {refused.text[:300]}")
        with trio.fail_after(_LONG_S):
            while True:
                answer = await editor.answer(await editor.call("test_echo", prompt="room"))
                if answer is not None and not answer.code:
                    break
                await trio.sleep(0.2)
    await bench.services.wait_healthy()


def _fill(path: Path) -> None:
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(1 << 20)):
            pass


async def projects(bench: Bench) -> None:
    """A project that is mounted can be reviewed, and its changes looked at; one that is not is refused in words."""
    project = bench.services.projects / "shop"
    _make_project(project)
    async with bench.editor() as editor:
        step = {"step": "look", "step_number": 1, "total_steps": 1, "next_step_required": False}
        step |= {"findings": "a function that adds"}
        await ask(editor, "codereview", **step, relevant_files=[str(project / "price.py")])
        said = await ask(editor, "precommit", **step, path=str(project))
        if "price.py" not in said.text:
            raise Broken(f"precommit does not see the change: {said.text[:400]}")
        outside = await editor.answer(
            await editor.call("chat", prompt="look", files=["/home/nobody/x.py"]), within=_LONG_S
        )
        if outside is None or "EXAI_PROJECTS" not in outside.text:
            raise Broken(f"a root that is not mounted: {outside and outside.text[:300]}")


def _make_project(project: Path) -> None:
    project.mkdir()
    file = project / "price.py"
    file.write_text("def price(a, b):\n    return a + b\n")
    who = ("-c", "user.name=t", "-c", "user.email=t@t")
    for words in (("init", "-q"), ("add", "."), (*who, "commit", "-qm", "first")):
        subprocess.run(("git", *words), cwd=project, check=True, capture_output=True)
    file.write_text("def price(a, b):\n    return a - b\n")


async def closed(bench: Bench) -> None:
    """No secret in the image, nothing as root, nothing written outside of the volume and /tmp."""
    services = bench.services
    looks = (("history", "--no-trunc", IMAGE), ("image", "inspect", IMAGE))
    told = "".join([await services.podman(*words) for words in looks])
    if KEY in told or TOKEN in told or "API_KEY" in told:
        raise Broken("the image holds a secret, or a place for one")
    await _search_layers(services)
    status = await trio.Path(f"/proc/{await services.pid()}/status").read_text()
    ids = next(line.split()[1:] for line in status.splitlines() if line.startswith("Uid:"))
    caps = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    if set(ids) != {"10001"} or int(caps, 16):
        raise Broken(f"the daemon runs as {ids} with capabilities {caps}")
    changed = [
        line for line in (await services.podman("diff", DAEMON)).splitlines() if not _expected(line)
    ]
    if changed:
        raise Broken(f"written outside of the volume: {changed[:5]}")


async def _search_layers(services: Services) -> None:
    """A canary that stands in .env beside the Dockerfile when it is built must be in no layer."""
    tar = services.place / "image.tar"
    await services.podman("save", "-o", str(tar), IMAGE)
    found = await trio.run_process(
        ("grep", "-acE", f"{KEY}|{TOKEN}", str(tar)), capture_stdout=True, check=False
    )
    tar.unlink()
    if found.stdout.strip() != b"0":
        raise Broken("a canary is in a layer of the image")


def _expected(line: str) -> bool:
    """Places that the engine makes for what it mounts."""
    kind, _, path = line.partition(" ")
    made = ("/etc", "/run", "/proc", "/sys", "/dev", "/var", "/projects")
    return kind in "AC" and (path.startswith(made) or Path(path).is_dir() or not path)


async def stop(bench: Bench) -> None:
    """A stop gives what runs its time, and is over within its grace."""
    async with bench.editor() as editor:
        call = await editor.call("test_echo", prompt="ends", delay_ms=1500)
        await _wait_running()
        began = trio.current_time()
        await bench.services.podman("stop", "-t", "20", DAEMON)
        took = trio.current_time() - began
        good(await editor.answer(call, within=1.0), "the call that ran when it was stopped")
    code = await bench.services.state("ExitCode")
    if took > 15 or code != "0":
        raise Broken(f"the stop took {took:.1f} s, exit code {code}")
    bench.figures["stop under a call"] = f"{took:.1f} s (grace 20)"


Step = Callable[[Bench], Awaitable[None]]


def all_steps(times: int, killed: int) -> dict[str, Step]:
    return {
        "closed": closed,
        "proxy": through_a_proxy,
        "stdio": by_stdio,
        "log": shown_log,
        "projects": projects,
        "frozen": frozen,
        "kills": partial(kills, times=killed),
        "memory": out_of_memory,
        "full volume": full_volume,
        "restarts": partial(restarts, times=times),
        "stop": stop,
    }
