"""Runs chaos, stress and fuzz as far as fits into minutes, and says whether everything held: what has times to reach runs
alone, all else two programs side by side.

`scripts/prove [--report DIR]`. Exit codes: 0 every invariant held and nothing was left behind, 1 not, 130 interrupted.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import attrs
import trio
from chaos.endings import ends_cleanly

_ALONE = (
    ("chaos", "kill-daemon=30", "rolling=2", "drain-long=1", "provider-odd=1"),
    ("chaos", "autostarted=10", "no-daemon=5", "--jobs", "2"),
)
_LANES = (
    (
        ("chaos", "kill-acks=10", "kill-shim=20", "all", "--cycles", "1", "--crowded"),
        ("chaos", "upload-kill=50", "cleanup-kill=50", "--jobs", "2", "--forked", "--crowded"),
        ("chaos", "http-cut=40", "http-kill=10", "http-leave=10", "--forked", "--crowded"),
        ("chaos", "supabase-away=50", "--jobs", "2", "--forked", "--crowded"),
        ("fuzz", "--frames", "20000"),
    ),
    (
        ("chaos", "kill-daemon=70", "kill-acks=70", "--forked", "--crowded"),
        ("chaos", "terminal-kill=100", "terminal-drop=500", "--forked", "--crowded"),
        ("stress", "all", "--seconds", "20"),
    ),
)
_ENDING_S = 20.0  # for a program that is told to end


@attrs.define
class Proof:
    """`place` is where the programs put what they need, and where nothing may stay."""

    place: Path
    reports: Path
    failed: list[str] = attrs.field(factory=list[str])
    _begun: int = 0

    async def run(self) -> None:
        for words in _ALONE:
            await self._program(*words)
        async with trio.open_nursery() as lanes:
            for lane in _LANES:
                lanes.start_soon(self._lane, lane)

    async def _lane(self, programs: tuple[tuple[str, ...], ...]) -> None:
        for words in programs:
            await self._program(*words)

    async def _program(self, name: str, *words: str) -> None:
        """One program to its end; its table is shown whole. Cancelled, it is told to end, and ends."""
        script = Path(__file__).with_name(f"{name}.py")
        self._begun += 1
        report = self.reports / f"{name}-{self._begun}.json"
        began = time.perf_counter()
        ran = await trio.run_process(
            [sys.executable, script, *words, "--report", report],
            capture_stdout=True,
            check=False,
            env={**os.environ, "TMPDIR": str(self.place)},
            start_new_session=True,
            deliver_cancel=_end,
        )
        if ran.returncode:
            self.failed.append(name)
        took = time.perf_counter() - began
        print(f"\n── {name} {' '.join(words)}: exit {ran.returncode} after {took:.0f} s\n{ran.stdout.decode()}", flush=True)  # fmt: skip


async def _end(process: trio.Process) -> None:
    process.terminate()
    with trio.move_on_after(_ENDING_S, shield=True):
        await process.wait()
    process.kill()


def left_behind(place: Path) -> list[str]:
    """Files, mounts and processes that a program forgot."""
    mounts = Path("/proc/mounts")
    mounted = mounts.read_text(encoding="utf-8").splitlines() if mounts.exists() else []
    return [
        *(f"file {path}" for path in place.iterdir()),
        *(f"mount {line}" for line in mounted if str(place) in line),
        *(f"process {pid}" for pid in _processes_of(place)),
    ]


def _processes_of(place: Path) -> list[str]:
    """Those that were told to use this place."""
    said = f"TMPDIR={place}\0".encode()
    return [path.parent.name for path in Path("/proc").glob("[0-9]*/environ") if said in _read(path)]  # fmt: skip


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended, or is another user's
        return b""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--report", type=Path, metavar="DIR", help="where the figures go, as JSON")
    asked = parser.parse_args()
    ends_cleanly()
    began, interrupted = time.perf_counter(), False
    with tempfile.TemporaryDirectory(prefix="exai-proof-", ignore_cleanup_errors=True) as name:
        place = Path(name, "place")
        place.mkdir()
        reports = asked.report or Path(name)
        reports.mkdir(parents=True, exist_ok=True)
        proof = Proof(place, reports)
        try:
            trio.run(proof.run)
        except* KeyboardInterrupt:
            interrupted = True
        left = left_behind(place)
    for what in left:
        print(f"LEFT BEHIND: {what}")
    verdict = "held" if not (proof.failed or left) else f"BROKEN: {', '.join(proof.failed) or 'left behind'}"  # fmt: skip
    if interrupted:
        verdict = f"interrupted ({verdict} so far)"
    print(f"{verdict} after {time.perf_counter() - began:.0f} s")
    return 130 if interrupted else int(verdict != "held")


if __name__ == "__main__":
    raise SystemExit(main())
