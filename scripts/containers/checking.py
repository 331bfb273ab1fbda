"""One run of the services: started in a network of its own, tried step by step, and taken away."""

import shutil
import subprocess
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from chaos.children import NotStarted
from chaos.provider import Provider, start_provider

from .canaries import TOKEN
from .engine import ROOT, Engine, EngineError
from .services import Services
from .steps import PORT, Bench, Broken, Step


def check(engine: Engine, steps: Mapping[str, Step], kind: type[Services]) -> int:
    """Returns 0 if every step held."""
    return trio.run(_check, engine, steps, kind)


def bring_up(engine: Engine, kind: type[Services]) -> None:
    """Leaves the services running until the program is interrupted."""
    try:
        trio.run(_stay_up, engine, kind)
    except* KeyboardInterrupt:
        print("container: taken away")


def take_down(engine: Engine) -> None:
    """What a run that was killed has left."""
    for words in (("rm", "-af", "-t", "1"), ("volume", "prune", "-f")):
        engine.podman(*words)


async def _check(engine: Engine, steps: Mapping[str, Step], kind: type[Services]) -> int:
    broken: list[str] = []
    began = trio.current_time()
    async with _running(engine, kind) as bench:
        for name, step in steps.items():
            since = trio.current_time()
            wrong = ""
            try:
                await step(bench)
            except (Broken, EngineError, NotStarted, trio.TooSlowError) as fault:
                wrong = str(fault) or repr(fault)
                broken.append(name)
            print(
                f"container {name:12} {trio.current_time() - since:6.1f} s  {wrong or 'ok'}",
                flush=True,
            )
        for what, figure in bench.figures.items():
            print(f"container {what}: {figure}")
    took = trio.current_time() - began
    print(f"container: {len(broken)} steps broken, {took:.0f} s")
    return 1 if broken else 0


async def _stay_up(engine: Engine, kind: type[Services]) -> None:
    async with _running(engine, kind) as bench:
        print(
            f"container: serves on 127.0.0.1:{PORT} of this network, token {TOKEN}, home {bench.home}; Ctrl-C ends it"
        )
        await trio.sleep_forever()


@asynccontextmanager
async def _running(engine: Engine, kind: type[Services]) -> AsyncGenerator[Bench]:
    place = Path(tempfile.mkdtemp(prefix="exai-containers-"))
    try:
        async with trio.open_nursery() as nursery:
            provider = await start_provider(nursery, place)
            services = kind(engine, place, _glm_url(provider))
            services.prepare()
            home = place / "home"
            home.mkdir()
            async with _up(services) as seconds:
                bench = Bench(services, nursery, home)
                bench.figures["up and healthy"] = f"{seconds:.1f} s (goal 8)"
                yield bench
            nursery.cancel_scope.cancel(reason="the check is over")
    finally:
        subprocess.run(("umount", place / "volume"), check=False, capture_output=True)  # noqa: ASYNC221  # at the end
        shutil.rmtree(place, ignore_errors=True)  # noqa: ASYNC200  # a moment at the end
        (ROOT / "oom").unlink(missing_ok=True)  # conmon's note that a memory limit was hit


@asynccontextmanager
async def _up(services: Services) -> AsyncGenerator[float]:
    try:
        yield await services.up()
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 60):
            await services.down()


def _glm_url(provider: Provider) -> str:
    return provider.settings["GLM_API_URL"]
