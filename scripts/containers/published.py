"""The ports of compose.yaml as a user has them: published from a network of the container's own, which the other steps do without."""

import shutil
import statistics
from typing import Final

import trio
import yaml
from chaos.provider import fetch

from .canaries import TOKEN
from .engine import ROOT, EngineError
from .image import IMAGE
from .steps import PORT, Bench, Broken, ask

_NAME: Final = "exai_check_published"
# slirp4netns leaves nothing behind, as bridges do, which are noted for the whole machine.
_NETWORK: Final = "slirp4netns:port_handler=slirp4netns"
_BESIDE: Final = 20_000  # the ports themselves belong to the daemon of the other steps
_HEALTH: Final = "8082"
_READY_S: Final = 60.0
_LOOKS: Final = 50


async def published_ports(bench: Bench) -> None:
    """A call by the published port, and what is asked of the daemon's health."""
    found = shutil.which("slirp4netns")  # noqa: ASYNC200  # a moment
    if not found or not await trio.Path("/dev/net/tun").exists():
        bench.figures["published ports"] = "skipped, there is no slirp4netns or no /dev/net/tun"
        return
    ports = _published()
    wrong = [text for text in ports.values() if not text.startswith("127.0.0.1:")]
    if wrong or not {str(PORT), _HEALTH} <= set(ports):
        raise Broken(f"compose.yaml publishes {list(ports.values())}")
    podman = bench.services.podman
    published = [f"-p=127.0.0.1:{int(inside) + _BESIDE}:{inside}" for inside in ports]
    hardened = (
        "--init",
        "--read-only",
        "--cap-drop=all",
        "--tmpfs=/tmp",
        "-e=ENABLED_TOOLS=test_echo",
    )
    await podman(
        *("run", "-d", "--name", _NAME, f"--network={_NETWORK}", *published, *hardened),
        *("-e", f"EXAI_WS_TOKEN={TOKEN}", "-e", "GLM_API_KEY=none", IMAGE),
    )  # fmt: skip
    try:
        await _until_ready(int(_HEALTH) + _BESIDE)
        async with bench.editor(port=PORT + _BESIDE) as editor:
            await ask(editor, prompt="through a published port")
        direct, through = [await _ping(int(_HEALTH) + more) for more in (0, _BESIDE)]
        bench.figures["health, by a published port and without"] = (
            f"p50 {through * 1000:.1f} ms, {direct * 1000:.1f} ms"
        )
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 30):
            await podman("rm", "-f", "-v", "-t", "1", _NAME)


def _published() -> dict[str, str]:
    """What compose.yaml says of each port, by the port inside."""
    services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    return {text.rpartition(":")[2]: text for text in services["daemon"]["ports"]}


async def _until_ready(port: int) -> None:
    """Raises EngineError."""
    with trio.move_on_after(_READY_S):
        while True:
            try:
                await fetch(port, "/health/ready")
            except (OSError, ValueError, trio.BrokenResourceError):
                await trio.sleep(0.2)
            else:
                return
    raise EngineError(f"nothing is ready at the published port {port}")


async def _ping(port: int) -> float:
    """Seconds, the median."""
    taken: list[float] = []
    for _ in range(_LOOKS):
        began = trio.current_time()
        await fetch(port, "/health/ready")
        taken.append(trio.current_time() - began)
    return statistics.median(taken)
