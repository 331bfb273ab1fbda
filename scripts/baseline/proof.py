"""What is promised of the baselines, proven on real daemons: what is planted is found, and nothing else is."""

import json
import shutil
import subprocess
import sys
import tempfile
from argparse import Namespace
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean, median
from typing import Final

import trio

from . import definitions
from .collect import work_folder
from .compare import by_turns
from .ratios import ratio_of
from .records import ROOT
from .served import own_daemon

_SHORT: Final = "test_echo,version,planner,chat"
_PAIRS: Final = 40
_FEWER: Final = 20  # of all tools; an alarm by chance is as likely as with more
_PLANTED: Final = 0.2
_ASKED_S: Final = 2.0
_SLOWER: Final = 1.5
_FAULTS: Final = 0.05


def twenty_percent(times):
    """Four tools by turns, of which `planner` sleeps for a fifth of what it takes: found each time (20 times: about 3 min)."""
    with _slowed("planner", _PLANTED * _usual("planner")) as tree:
        found, false = 0, 0
        for number in range(times):
            verdicts = _verdicts((ROOT, tree), _SHORT, _PAIRS)
            found += verdicts["planner"] == "slower"
            false += sum(
                said in {"slower", "faster"} for tool, said in verdicts.items() if tool != "planner"
            )
            print(f"{number + 1}: found {found}, false {false}", flush=True)
    return found == times


def itself(times):
    """All tools of this tree beside itself: one false alarm at most (20 times: about 10 min)."""
    alarms = 0
    for number in range(times):
        verdicts = _verdicts((ROOT, ROOT), None, _FEWER)
        alarms += sum(said in {"slower", "faster"} for said in verdicts.values())
        print(f"{number + 1}: {alarms} alarms over {len(verdicts)} tools", flush=True)
    return alarms <= 1


def _verdicts(trees, tools, runs):
    found = by_turns(Namespace(a="A", b="B", tools=tools, runs=runs), trees)
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
    """GLM and a Kimi that is half as slow again and fails now and then: intervals and estimates (20 times: about 5 min).

    The delays scatter, so that an interval has something to say."""
    ratios, shares, errors = 0, 0, []
    within = 0
    for number in range(times):
        facts = _contest(number)
        ratio, kimi = facts["ratios"]["model"], facts["sides"]["kimi"]
        ratios += ratio["low"] <= _SLOWER <= ratio["high"]
        within += _is_near(ratio["value"], _SLOWER)
        low, high = kimi["error_share"]
        shares += low <= _FAULTS <= high
        errors.append(sum(kimi["errors"].values()) / facts["pairs"])
        print(
            f"{number + 1}: {ratio['value']:.3f} x, within 5 % {within}, intervals hold 1.5 {ratios}, faults {fmean(errors):.1%},"
            f" intervals hold 5 % {shares}",
            flush=True,
        )
    return (
        within == times
        and min(ratios, shares) >= 0.9 * times
        and abs(fmean(errors) - _FAULTS) <= 0.02
    )


def _is_near(found, truth):
    return abs(found / truth - 1) <= 0.05


def _contest(seed):
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "v.json"
        command = [
            sys.executable, str(ROOT / "scripts" / "baseline.py"), "versus", "glm", "kimi", "--prompts", "160", "--at-once", "8",
            "--plant", "glm delay=0.2 spread=0.1", "--plant", f"kimi delay=0.3 spread=0.1 faults={_FAULTS}",
            "--cached", "0.3", "--seed", str(seed), "--json", str(out),
        ]  # fmt: skip
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (facts,) = json.loads(out.read_text(encoding="utf-8"))["figures"]
    return facts


def cost(times):
    """Processor time of a call, 8 at once, beside a daemon that throws its rows away: 2 % at most (20 times: about 2 min).

    A daemon that is asked as much as it can do is bound by one processor, so that calls per second are lost as processor time is added;
    what its writer does beside the loop counts too. The machine's other work does not."""
    with _without_rows() as bare, own_daemon() as whole, own_daemon(tree=bare) as less:
        pairs = ([], [])
        for number in range(-1, times):
            for side in (0, 1) if number % 2 else (1, 0):
                took = trio.run(_a_call, (whole, less)[side])
                pairs[side].extend([took] if number >= 0 else [])
            if number > 0:
                ratio = ratio_of(pairs[1], pairs[0], confidence=0.95)
                said = f"{ratio.value:.3f} ({ratio.low:.3f} … {ratio.high:.3f}) x a daemon without rows"
                print(f"{number + 1}: {pairs[0][-1]:.3f} ms a call; {said}", flush=True)
    return ratio.value <= 1.02


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


async def _a_call(served):
    """Milliseconds of the daemon's processor time."""
    counts, before = [], _processor_ms(served)
    async with trio.open_nursery() as asking:
        for _ in range(8):
            asking.start_soon(_ask_on, served, counts)
    return (_processor_ms(served) - before) / sum(counts)


def _processor_ms(served):
    """Of all its threads, as the scheduler counts it: nanoseconds, where proc(5) has hundredths of seconds."""
    tasks = Path(f"/proc/{served.process.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text(encoding="utf-8").split()[0]) for task in tasks) / 1e6


async def _ask_on(served, counts):
    from .client import connected

    async with connected(served.url) as client:
        until, count = trio.current_time() + _ASKED_S, 0
        while trio.current_time() < until:
            await client.call("test_echo", {"prompt": "x"}, 30)
            await client.acknowledge()
            count += 1
        counts.append(count)


PROOFS: Final = {"twenty-percent": twenty_percent, "itself": itself, "versus": versus, "cost": cost}
