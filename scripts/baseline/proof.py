"""What is promised of the baselines, proven on real daemons: what is planted is found, and nothing else is."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from argparse import Namespace
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final

import trio

from . import definitions
from .collect import work_folder
from .compare import by_turns
from .records import ROOT
from .served import own_daemon

_SHORT: Final = "test_echo,version,planner,chat"
_PAIRS: Final = 40
_PLANTED: Final = 0.2
_SLOWER: Final = 1.5
_FAULTS: Final = 0.05


def twenty_percent(times):
    """`planner` sleeps for a fifth of what it takes; the others are as they are."""
    with _slowed("planner", _PLANTED * _usual("planner")) as tree:
        found, false = 0, 0
        for number in range(times):
            verdicts = _verdicts((ROOT, tree), _SHORT)
            found += verdicts["planner"] == "slower"
            false += sum(
                said in {"slower", "faster"} for tool, said in verdicts.items() if tool != "planner"
            )
            print(f"{number + 1}: found {found}, false {false}", flush=True)
    return found == times


def itself(times):
    """The tree beside itself, all tools."""
    alarms = 0
    for number in range(times):
        verdicts = _verdicts((ROOT, ROOT), None)
        alarms += sum(said in {"slower", "faster"} for said in verdicts.values())
        print(f"{number + 1}: {alarms} alarms over {len(verdicts)} tools", flush=True)
    return alarms <= 1


def _verdicts(trees, tools):
    found = by_turns(Namespace(a="A", b="B", tools=tools, runs=_PAIRS), trees)
    return {name: ratio.verdict for name, ratio in found.ratios.items()}


def _usual(tool):
    """Seconds that a call of it takes here and now."""
    from .compare import turns

    with own_daemon() as served, work_folder() as folder:
        chosen = definitions.chosen(definitions.read(), tool)
        series, lost = trio.run(turns, [served, served], folder, chosen, 20)
    if lost:
        sys.exit(f"{tool}: {lost[tool]}")
    return median(series[tool][0]) / 1000


@contextmanager
def _slowed(tool, seconds):
    """A copy of the package in which this tool of the workflow engine sleeps first."""
    with tempfile.TemporaryDirectory(prefix="exai-slowed-") as name:
        tree = Path(name)
        shutil.copytree(
            ROOT / "exai_trio", tree / "exai_trio", ignore=shutil.ignore_patterns("__pycache__")
        )
        registry = tree / "exai_trio" / "tools" / "registry.py"
        registry.write_text(
            registry.read_text(encoding="utf-8") + _SLEEP.format(tool=tool, seconds=seconds),
            encoding="utf-8",
        )
        yield tree


_SLEEP: Final = """

def _slowed(one):
    import attrs
    import trio

    async def run(*given):
        await trio.sleep({seconds})
        return await one.run(*given)

    return attrs.evolve(one, run=run) if one.name == "{tool}" else one


BUILT_IN = tuple(map(_slowed, BUILT_IN))
"""


def versus(times):
    """Kimi is 1.5 times as slow as GLM and fails now and then; the delays scatter, so that an interval has something to say."""
    held, within, errors, asked = 0, 0, 0, 0
    for number in range(times):
        facts = _contest(number)
        ratio = facts["ratios"]["model"]
        held += ratio["low"] <= _SLOWER <= ratio["high"]
        within += abs(ratio["value"] / _SLOWER - 1) <= 0.05
        errors, asked = (
            errors + sum(facts["sides"]["kimi"]["errors"].values()),
            asked + facts["pairs"],
        )
        print(
            f"{number + 1}: the interval holds 1.5 in {held}, within 5 % {within}, errors {errors / asked:.1%},"
            f" cached {facts['sides']['glm']['cached_share']:.0%}",
            flush=True,
        )
    return held >= 0.9 * times and abs(errors / asked - _FAULTS) <= 0.05


def _contest(seed):
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "v.json"
        command = [
            sys.executable, str(ROOT / "scripts" / "baseline.py"), "versus", "glm", "kimi", "--prompts", "120", "--at-once", "8",
            "--plant", "glm delay=0.4 spread=0.15", "--plant", f"kimi delay=0.6 spread=0.15 faults={_FAULTS}",
            "--cached", "0.3", "--seed", str(seed), "--json", str(out),
        ]  # fmt: skip
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (facts,) = json.loads(out.read_text(encoding="utf-8"))["figures"]
    return facts


def cost(times):
    """Processor time of a call of test_echo, 8 at once, by turns: with the table of calls, and with a daemon that throws its rows away."""
    with _without_rows() as bare:
        ratios = []
        for number in range(times):
            order = (ROOT, bare) if number % 2 else (bare, ROOT)
            took = {tree: _processor_ms(tree) for tree in order}
            ratios.append(took[ROOT] / took[bare])
            print(
                f"{number + 1}: {took[ROOT]:.3f} ms a call, without rows {took[bare]:.3f}; median {median(ratios):.3f}",
                flush=True,
            )
    return median(ratios) <= 1.02


@contextmanager
def _without_rows():
    with tempfile.TemporaryDirectory(prefix="exai-bare-") as name:
        tree = Path(name)
        shutil.copytree(
            ROOT / "exai_trio", tree / "exai_trio", ignore=shutil.ignore_patterns("__pycache__")
        )
        path = tree / "exai_trio" / "daemon" / "jobs" / "sinks.py"
        text = path.read_text(encoding="utf-8")
        line = '    events.add("calls table", keeping.takes())\n'
        assert line in text
        path.write_text(text.replace(line, ""), encoding="utf-8")
        yield tree


def _processor_ms(tree):
    """Of the daemon, a call: what else the machine does does not count."""
    with own_daemon(tree=tree) as served:
        return trio.run(_a_call, served)


_S: Final = 3.0


async def _a_call(served):
    counts, before = [], _processor_s(served)
    async with trio.open_nursery() as asking:
        for _ in range(8):
            asking.start_soon(_ask_on, served, counts)
    return (_processor_s(served) - before) / sum(counts) * 1000


def _processor_s(served):
    """User and system time of all its threads (proc(5))."""
    fields = Path(f"/proc/{served.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2]
    return sum(map(int, fields.split()[11:13])) / os.sysconf("SC_CLK_TCK")


async def _ask_on(served, counts):
    from .client import connected

    async with connected(served.url) as client:
        until, count = trio.current_time() + _S, 0
        while trio.current_time() < until:
            await client.call("test_echo", {"prompt": "x"}, 30)
            await client.acknowledge()
            count += 1
        counts.append(count)


PROOFS: Final = {"twenty-percent": twenty_percent, "itself": itself, "versus": versus, "cost": cost}
