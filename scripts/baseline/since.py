"""`since`: this tree and the commit of .ci/baseline by turns; red is what is slower by far three times in a row."""

import json
import os
import subprocess
import sys
import tempfile
from argparse import Namespace
from pathlib import Path
from statistics import median
from typing import Final

import attrs
from auditing import governed, shapes

from .compare import by_turns, tree_of
from .records import ROOT
from .wrong import Wrong

NAMED: Final = ROOT / ".ci" / "baseline"
BOUND: Final = 1.3
TRIES: Final = 3
_TOOLS: Final = "test_echo,version,chat,planner,debug,smart_file_query,kimi_upload_files"
_RUNS: Final = 12
_TURNS: Final = 2  # of the relay's benchmark, on each side
_BENCH_S: Final = 60


@attrs.frozen
class Shown:
    """How much slower, and whether that is sure enough to be judged: not of the slowest of a few calls, nor where nothing may differ."""

    ratio: float
    sure: bool = True

    @property
    def is_slow(self):
        return self.sure and self.ratio > BOUND


def checked(commit):
    """The exit code. Raises Wrong."""
    name = commit or _named()
    suspects = None
    for number in range(1, TRIES + 1):
        found = ratios(name)
        print(f"{number}: this tree beside {name[:12]}")
        print("\n".join(f"  {what}: {each.ratio:.2f}" for what, each in found.items()), flush=True)
        suspects = [
            what for what, each in found.items() if each.is_slow and what in (suspects or found)
        ]
        if not suspects:
            return 0
    print(f"slower than {BOUND} x in {TRIES} runs: {', '.join(suspects)}")
    return 1


def _named():
    try:
        commit = governed.named_commit(NAMED)
    except shapes.Wrong as fault:
        raise Wrong(str(fault)) from fault
    if not governed.is_known(commit, ROOT):
        raise Wrong(str(governed.no_commit(f"{commit} is none of this repository")))
    return commit


def ratios(name):
    """By what was measured, this tree to that commit."""
    with tree_of(name) as tree:
        found = {
            f"relay: {what}": Shown(ratio, sure="p99" not in what)
            for what, ratio in _relay(tree).items()
        }
        asked = Namespace(a=name, b=".", tools=_TOOLS, runs=_RUNS)
        compared = by_turns(asked, (tree, ROOT))
    for what, reason in compared.lost.items():
        print(f"  {what}: not compared: {reason}")
    return found | {
        what: Shown(ratio.value, sure=ratio.low > 1) for what, ratio in compared.ratios.items()
    }


def _relay(tree):
    """Nothing where the benchmark of now cannot be run on that commit, which is said."""
    try:
        _bench(tree)
    except Wrong as fault:
        print(f"  relay: not compared: {fault}")
        return {}
    sides = ([], [])
    for turn in range(_TURNS):
        for place in (0, 1) if turn % 2 else (1, 0):
            sides[place].append(_bench((tree, ROOT)[place]))
    return {
        what: median(rows[what] for rows in sides[1]) / median(rows[what] for rows in sides[0])
        for what in sides[0][0]
    }


def _bench(tree):
    """What a call through shim and daemon of that tree takes, by row."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "rows.json"
        command = [
            sys.executable,
            str(ROOT / "scripts" / "bench_relay.py"),
            "--quick",
            "--only",
            "echo",
            "--json",
            str(out),
        ]
        done = subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": str(tree)},
            capture_output=True,
            text=True,
            timeout=_BENCH_S,
            check=False,
        )
        if done.returncode:
            raise Wrong(
                f"bench_relay.py: {(done.stderr.strip() or done.stdout.strip()).splitlines()[-1]}"
            )
        return {row["what"]: row["ours"] for row in json.loads(out.read_text(encoding="utf-8"))}
